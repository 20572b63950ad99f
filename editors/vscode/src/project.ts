// A project and what Pivot says of it: one command at a time, and a newer question ends the one before.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import path from "node:path";
import { type Look, readStages } from "./lenses";

const STATUS = ["status", "--json", "--explain", "--all", "--stages-only"];

export class Project {
  look: Look = { stages: [] };
  #timer: NodeJS.Timeout | undefined;
  #asked: ChildProcess | undefined;

  /** `changed` is called after each answer, `say` gets what the command wrote for people. */
  constructor(
    readonly root: string,
    private readonly command: () => readonly string[],
    private readonly changed: () => void,
    private readonly say: (text: string) => void,
  ) {}

  /** Ask once the files have been quiet for a moment. */
  askSoon(milliseconds = 300): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.ask(), milliseconds);
  }

  /** Ask now; the promise ends with the answer, or when a newer question has taken its place. */
  ask(): Promise<void> {
    this.close();
    const [program = "pivot", ...words] = this.command();
    return new Promise((resolve) => {
      const child = spawn(program, [...words, ...STATUS], { cwd: this.root, stdio: ["ignore", "pipe", "pipe"] });
      this.#asked = child;
      let answer = "";
      let messages = "";
      child.stdout.setEncoding("utf-8").on("data", (text: string) => (answer += text));
      child.stderr.setEncoding("utf-8").on("data", (text: string) => (messages += text));
      const end = (problem?: string): void => {
        if (this.#asked === child) {
          this.#asked = undefined;
          this.#answered(answer, messages, problem);
        }
        resolve();
      };
      child.on("error", (error) => end(`${program}: ${error.message}`));
      child.on("close", (code) => end(code === 0 ? undefined : `${program} has ended with ${code}`));
    });
  }

  /** End what is under way. */
  close(): void {
    clearTimeout(this.#timer);
    this.#asked?.kill();
    this.#asked = undefined;
  }

  #answered(answer: string, messages: string, problem: string | undefined): void {
    try {
      if (problem !== undefined) throw new Error(problem);
      this.look = { stages: readStages(answer) };
    } catch (error) {
      this.look = { stages: this.look.stages, problem: String(error) };
      this.say(`${this.root}\n${messages}${String(error)}\n`);
    }
    this.changed();
  }
}

/** The project of a file, the nearest directory above it with a `.pivot`, and the file as Pivot names it. */
export function placeOf(file: string): { root: string; file: string } | undefined {
  if (!existsSync(file)) return undefined;
  const real = realpathSync(file);
  for (let root = path.dirname(real); ; root = path.dirname(root)) {
    if (existsSync(path.join(root, ".pivot"))) return { root, file: path.relative(root, real) };
    if (root === path.dirname(root)) return undefined;
  }
}
