// The ends in VS Code: when to ask Pivot, where its answers are shown, and what a click does.

import * as vscode from "vscode";
import { lenses } from "./lenses";
import { Project, commandOf, placeOf } from "./project";

export function activate({ subscriptions }: vscode.ExtensionContext): void {
  const output = vscode.window.createOutputChannel("Pivot");
  const changed = new vscode.EventEmitter<void>();
  const projects = new Map<string, Project>();
  const setting = (key: string): string[] => vscode.workspace.getConfiguration("pivot").get(key, []);

  async function ask(project: Project, milliseconds?: number): Promise<void> {
    if (!(await project.ask(milliseconds))) return;
    if (project.problem) output.appendLine(`${project.root}\n${project.problem}`);
    changed.fire();
  }

  function find({ uri }: vscode.TextDocument): { project: Project; file: string } | undefined {
    const folder = vscode.workspace.getWorkspaceFolder(uri)?.uri.fsPath;
    const place = folder === undefined ? undefined : placeOf(uri.fsPath, folder);
    if (folder === undefined || place === undefined) return undefined;
    const known = projects.get(place.root);
    if (known) return { project: known, file: place.file };
    const project = new Project(place.root, () => commandOf(setting("command"), place.root, folder));
    const written = new vscode.RelativePattern(vscode.Uri.file(place.root), ".pivot/{stages/*,config.yaml,frozen}");
    const watcher = vscode.workspace.createFileSystemWatcher(written); // what runs and other commands write
    for (const event of [watcher.onDidChange, watcher.onDidCreate, watcher.onDidDelete]) event(() => ask(project));
    subscriptions.push(watcher, { dispose: () => project.close() });
    projects.set(place.root, project);
    void ask(project, 0);
    return { project, file: place.file };
  }

  async function start(project: Project, words: string[]): Promise<void> {
    await vscode.workspace.saveAll(false);
    const [program = "", ...before] = project.command();
    const name = `pivot ${words.join(" ")}`;
    const execution = new vscode.ProcessExecution(program, [...before, ...words], { cwd: project.root });
    const definition = { type: "pivot", name, root: project.root };
    if (vscode.tasks.taskExecutions.some(({ task }) => task.name === name && task.definition.root === project.root))
      return vscode.window.terminals.find((terminal) => terminal.name.includes(name))?.show(true);
    await vscode.tasks.executeTask(new vscode.Task(definition, vscode.TaskScope.Workspace, name, "pivot", execution));
  }

  const commands = {
    "pivot.refresh": () => projects.forEach((project) => ask(project, 0)),
    "pivot.output": () => output.show(true),
    "pivot.explain": (project: Project, stages: string[]) => start(project, ["status", "--diff", ...stages]),
    "pivot.run": (project: Project, stages: string[]) => start(project, ["repro", ...stages]),
    "pivot.graph": (project: Project) => start(project, setting("graph")),
  };
  const documents = ["python", "yaml"].map((language) => ({ language, scheme: "file" }));
  const provider: vscode.CodeLensProvider = {
    onDidChangeCodeLenses: changed.event,
    provideCodeLenses(document) {
      const found = find(document);
      if (found === undefined) return [];
      const { project, file } = found;
      return lenses(project.stages, project.problem, file).map(({ line, title, command, addresses }) => {
        const { range } = document.lineAt(Math.min(line, document.lineCount) - 1);
        return new vscode.CodeLens(range, { title, command, arguments: [project, addresses] });
      });
    },
  };
  subscriptions.push(
    output,
    changed,
    vscode.languages.registerCodeLensProvider(documents, provider),
    vscode.workspace.onDidSaveTextDocument((document) => {
      const saved = find(document);
      if (saved) void ask(saved.project);
    }),
    ...Object.entries(commands).map(([name, call]) => vscode.commands.registerCommand(name, call)),
  );
}
