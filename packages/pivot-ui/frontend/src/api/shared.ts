// The project, its graph and its status, which every view shows a part of.
import { Store, type Problem } from "../store.ts";
import { ask, exported } from "./client.ts";
import { newestRun, version } from "./live.ts";
import type { Graph, Project, State, Status } from "./types.ts";

export const project = new Store<Project | null>(null);
export const graph = new Store<Graph | null>(null);
export const status = new Store<Status | null>(null);
export const problem = new Store<Problem | null>(null);

/** The state of each stage, with that of a run that works now. */
export type LiveState = State | "running" | "failed" | "unknown";

export const liveStates = new Store<ReadonlyMap<string, LiveState>>(new Map());

/** Ask for everything, and again whenever it has changed: one question at a time, so that no older answer comes last. */
export function keepUp(): void {
  let [reading, outdated] = [false, false];
  const read = async (): Promise<void> => {
    outdated = true;
    if (reading) return;
    reading = true;
    while (outdated) {
      outdated = false;
      await readAll();
    }
    reading = false;
  };
  version.subscribe(() => void read());
  if (!exported()) addEventListener("focus", readProject); // a commit in a terminal changes nothing else
  newestRun.subscribe(derive);
  void read();
}

const readProject = (): void => void ask<Project>("project").then((value) => project.set(value), () => {}); // the status fails as well

async function readAll(): Promise<void> {
  readProject();
  try {
    const [newGraph, newStatus] = await Promise.all([ask<Graph>("graph"), ask<Status>("status")]);
    // An equal graph stays the same one: nothing is laid out for an edit that changes states only.
    if (JSON.stringify(newGraph) !== JSON.stringify(graph.value)) graph.set(newGraph);
    status.set(newStatus);
    problem.set(newStatus.problem);
    derive();
  } catch (said) {
    problem.set(said as Problem);
  }
}

function derive(): void {
  const states = new Map<string, LiveState>(graph.value?.stages.map((stage) => [stage.address, "unknown"]));
  for (const stage of status.value?.stages ?? []) states.set(stage.address, stage.state);
  const run = newestRun.value;
  for (const stage of run?.stages ?? []) {
    if (!states.has(stage.address)) continue;
    if (run?.state === "running") {
      if (stage.state === "running" || stage.state === "failed") states.set(stage.address, stage.state);
      else if (["ran", "restored", "cached"].includes(stage.state)) states.set(stage.address, "cached");
    } else if (stage.state === "failed" && states.get(stage.address) === "stale") states.set(stage.address, "failed");
  }
  const old = liveStates.value;
  if (states.size !== old.size || [...states].some(([address, state]) => old.get(address) !== state)) liveStates.set(states);
}
