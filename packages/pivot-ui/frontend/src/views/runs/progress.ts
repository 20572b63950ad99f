// How far a run is.
import type { Run, RunStage } from "../../api/types.ts";

/** The order of states in counts: the most serious first. */
const ORDER = ["failed", "blocked", "inputs_changed", "interrupted", "running", "ran", "restored", "frozen", "cached"];

/** How many stages ended in which state, the most serious first. */
export function countsOf(run: Run): [state: string, count: number][] {
  const place = (state: string): number => (ORDER.includes(state) ? ORDER.indexOf(state) : ORDER.length);
  return Object.entries(run.counts).sort((left, right) => place(left[0]) - place(right[0]));
}

/** Seconds since a run began: until now if it works, else as long as it took. */
export function elapsed(run: Run, now: number): number | null {
  if (run.state !== "running") return run.seconds;
  const since = (now - Date.parse(run.began)) / 1000;
  return Number.isFinite(since) ? Math.max(0, since, run.seconds ?? 0) : run.seconds;
}

interface Progress {
  done: number;
  running: RunStage[];
  /** The stages that it is about, if it is about all of the project. */
  total: number | null;
}

/** The stages that have ended and those that work; `all` are those of the project. */
export function progressOf(run: Run, all: number | null): Progress {
  const running = run.stages.filter((stage) => stage.state === "running");
  const sweep = run.stages.some((stage) => stage.combination !== null);
  const whole = /^pivot repro( -[-a-z]+)*$/.test(run.command) && !sweep;
  return { done: run.stages.length - running.length, running, total: whole && all !== null && all >= run.stages.length ? all : null };
}

/** The runs in a state ("" is any) with all of these words in their numbers, commands or problems. */
export function wantedRuns(runs: readonly Run[], search: string, state: string): Run[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return runs.filter((run) => {
    const text = `${run.run} ${run.state} ${run.command} ${run.problem}`.toLowerCase();
    return (state === "" || run.state === state) && words.every((word) => text.includes(word));
  });
}

/** Two chosen runs, the older one first. */
export function toCompare(chosen: ReadonlySet<number>): [older: number, newer: number] | null {
  const [first, second] = [...chosen].sort((left, right) => left - right);
  return first !== undefined && second !== undefined ? [first, second] : null;
}
