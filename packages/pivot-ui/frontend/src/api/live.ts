// Changes that the server reports while the page is open.
import { Store } from "../store.ts";
import { exported } from "./client.ts";
import type { Command, Run } from "./types.ts";

/** Whether the server is heard. */
export const connected = new Store(true);
/** Grows when the graph or the status of stages has changed. */
export const version = new Store(0);
/** The newest run, also while it works. */
export const newestRun = new Store<Run | null>(null);
/** The command that this page has started. */
export const command = new Store<Command | null>(null);

/** Listen from now on; the browser connects again by itself. */
export function listen(): void {
  if (exported()) return;
  const source = new EventSource("api/events");
  const on = <T>(name: string, take: (value: T) => void): void =>
    source.addEventListener(name, (event) => take(JSON.parse((event as MessageEvent<string>).data) as T));
  source.onopen = () => connected.set(true);
  source.onerror = () => connected.set(false);
  on<{ version: number }>("status", (said) => version.set(said.version));
  on<Run>("run", (run) => newestRun.set(run));
  on<Command>("command", (said) => command.set(said));
}
