// The ends in VS Code: when to ask Pivot, where its answers are shown, and what a click does.

import * as vscode from "vscode";
import { type Lens, lenses } from "./lenses";
import { Project, placeOf } from "./project";

const WATCHED = ".pivot/{stages/*,config.yaml,frozen}"; // what runs and other commands write

export function activate(context: vscode.ExtensionContext): void {
  const output = vscode.window.createOutputChannel("Pivot");
  const changed = new vscode.EventEmitter<void>();
  const projects = new Map<string, Project>();
  const words = (key: string): string[] => vscode.workspace.getConfiguration("pivot").get(key, []);

  function projectOf(root: string): Project {
    const known = projects.get(root);
    if (known) return known;
    const project = new Project(root, () => words("command"), () => changed.fire(), (text) => output.append(text));
    const watcher = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(vscode.Uri.file(root), WATCHED));
    for (const event of [watcher.onDidChange, watcher.onDidCreate, watcher.onDidDelete])
      context.subscriptions.push(event(() => project.askSoon()));
    context.subscriptions.push(watcher, { dispose: () => project.close() });
    projects.set(root, project);
    project.askSoon(0);
    return project;
  }

  function shown(root: string, lens: Lens, lines: number): vscode.CodeLens {
    const line = Math.min(lens.line, lines) - 1;
    const call = { title: lens.title, command: lens.command, arguments: [root, lens.addresses] };
    return new vscode.CodeLens(new vscode.Range(line, 0, line, 0), call);
  }

  function start(root: string, arguments_: string[]): void {
    const [program = "pivot", ...before] = words("command");
    const name = `pivot ${arguments_.join(" ")}`;
    const execution = new vscode.ProcessExecution(program, [...before, ...arguments_], { cwd: root });
    const task = new vscode.Task({ type: "pivot", name, root }, vscode.TaskScope.Workspace, name, "pivot", execution);
    void vscode.tasks.executeTask(task);
  }

  const documents = ["python", "yaml"].map((language) => ({ language, scheme: "file" }));
  const provider: vscode.CodeLensProvider = {
    onDidChangeCodeLenses: changed.event,
    provideCodeLenses(document) {
      const place = placeOf(document.uri.fsPath);
      if (place === undefined) return [];
      const found = lenses(projectOf(place.root).look, place.file);
      return found.map((lens) => shown(place.root, lens, document.lineCount));
    },
  };
  context.subscriptions.push(
    output,
    changed,
    vscode.languages.registerCodeLensProvider(documents, provider),
    vscode.workspace.onDidSaveTextDocument((document) => {
      const place = placeOf(document.uri.fsPath);
      if (place !== undefined) projects.get(place.root)?.askSoon();
    }),
    vscode.commands.registerCommand("pivot.refresh", () => projects.forEach((project) => project.askSoon(0))),
    vscode.commands.registerCommand("pivot.output", () => output.show(true)),
    vscode.commands.registerCommand("pivot.explain", (root: string, stages: string[]) =>
      start(root, ["status", "--diff", ...stages]),
    ),
    vscode.commands.registerCommand("pivot.run", (root: string, stages: string[]) => start(root, ["repro", ...stages])),
    vscode.commands.registerCommand("pivot.graph", (root: string) => start(root, words("graph"))),
  );
}
