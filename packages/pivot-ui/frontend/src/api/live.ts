// Changes that the server reports while the page is open.
import { Store, type Problem } from "../store.ts";
import { ask, exported } from "./client.ts";
import type { Command, Run } from "./types.ts";

/** Why the server is not heard; null while it is. */
export const silence = new Store<Problem | null>(null);
/** Grows when the graph or the status of stages has changed, or may have. */
export const version = new Store(0);
/** The newest run, also while it works. */
export const newestRun = new Store<Run | null>(null);
/** The command that this page has started. */
export const command = new Store<Command | null>(null);

const AGAIN_MS = 3000;

/** Listen from now on, and again whenever the server has been silent. */
export function listen(): void {
  if (exported()) return;
  const source = new EventSource("api/events");
  const on = <T>(name: string, take: (value: T) => void): void =>
    source.addEventListener(name, (event) => take(JSON.parse((event as MessageEvent<string>).data) as T));
  let told: number | null = null;
  source.onopen = () => {
    told = null; // whatever has happened meanwhile, all of it is asked for again
    silence.set(null);
  };
  source.onerror = () => {
    ask("project").catch((said: Problem) => {
      if (source.readyState !== EventSource.OPEN) silence.set(said);
    });
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS); // it was refused: browsers try no more
  };
  on<{ version: number }>("status", (said) => {
    if (said.version !== told) version.set(version.value + 1);
    told = said.version;
  });
  on<Run>("run", (run) => newestRun.set(run));
  on<Command>("command", (said) => {
    if (JSON.stringify(said) !== JSON.stringify(command.value)) command.set(said); // after a silence, it is told again
  });
}
