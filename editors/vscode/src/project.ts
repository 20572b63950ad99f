// A project and what Pivot says of it: one command at a time, and a newer question ends the one before.

import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import path from "node:path";
import { setTimeout as quiet } from "node:timers/promises";
import { promisify } from "node:util";
import type { Stage } from "./lenses";

const STATUS = ["status", "--json", "--explain", "--all", "--stages-only"];

export class Project {
  stages: Stage[] = [];
  problem = "";
  #asked = new AbortController();

  constructor(readonly root: string, readonly command: () => readonly string[]) {}

  /** Ask once the files have been quiet for a moment; return whether no newer question has taken its place. */
  async ask(milliseconds = 300): Promise<boolean> {
    this.close();
    const { signal } = (this.#asked = new AbortController());
    const [program = "", ...words] = this.command();
    try {
      await quiet(milliseconds, undefined, { signal });
      const options = { cwd: this.root, signal, maxBuffer: Infinity };
      const { stdout } = await promisify(execFile)(program, [...words, ...STATUS], options);
      if (signal.aborted) return false;
      this.stages = [...JSON.parse(stdout).stages];
      this.problem = "";
    } catch (error) {
      const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string };
      const missing = `cannot find ${program}: set pivot.command to the words that start Pivot`;
      if (!signal.aborted) this.problem = code === "ENOENT" ? missing : stderr || message;
    }
    return !signal.aborted;
  }

  /** End what is under way. */
  close(): void {
    this.#asked.abort();
  }
}

/** The nearest directory with a `.pivot`, from a file up to the folder that is open, and the file as Pivot names it. */
export function placeOf(file: string, folder: string): { root: string; file: string } | undefined {
  if (!existsSync(file)) return undefined;
  const [real, top] = [realpathSync(file), realpathSync(folder)];
  for (let root = path.dirname(real); (root + path.sep).startsWith(top + path.sep); root = path.dirname(root))
    if (existsSync(path.join(root, ".pivot"))) return { root, file: path.relative(root, real) };
  return undefined;
}

/** The words that start Pivot: those of the setting, or the `pivot` in a `.venv` of the directories, or on the PATH. */
export function commandOf(setting: string[], ...directories: string[]): string[] {
  const own = directories.map((directory) => path.join(directory, ".venv/bin/pivot")).find((file) => existsSync(file));
  return setting.length > 0 ? setting : [own ?? "pivot"];
}
