// What can be compared: the workspace, revisions of git and runs.
import type { Revisions, Run } from "../../api/types.ts";
import { moment } from "../../parts/formats.ts";

export interface SideOption {
  value: string;
  title: string;
  note: string;
  kind: "workspace" | "branch" | "tag" | "commit" | "run";
}

export function sideOptions(revisions: Revisions | null, runs: readonly Run[]): SideOption[] {
  const options: SideOption[] = [{ value: "workspace", title: "workspace", note: "the files as they are now", kind: "workspace" }];
  if (revisions?.commits.length) options.push({ value: "HEAD", title: "HEAD", note: "the last commit", kind: "commit" });
  for (const name of revisions?.branches ?? []) options.push({ value: name, title: name, note: "branch", kind: "branch" });
  for (const name of revisions?.tags ?? []) options.push({ value: name, title: name, note: "tag", kind: "tag" });
  for (const run of comparable(runs)) options.push({ value: `run:${run.run}`, title: `run ${run.run}`, note: `${moment(run.began)}, ${run.state}: ${run.command}`, kind: "run" });
  for (const commit of revisions?.commits ?? [])
    options.push({ value: commit.commit, title: commit.short, note: `${commit.subject} (${moment(commit.time)})`, kind: "commit" });
  return options;
}

/** The runs with one result: a sweep has one for each combination. */
const comparable = (runs: readonly Run[]): Run[] => runs.filter((run) => run.stages.every((stage) => stage.combination === null));

/** The options with all of these words. */
export function findSides(options: readonly SideOption[], search: string): SideOption[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return options.filter(({ title, note, kind, value }) => {
    const text = `${title} ${note} ${kind} ${value}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** A side as people call it. */
export function sideTitle(options: readonly SideOption[], value: string): string {
  const known = options.find((option) => option.value === value);
  if (known) return known.title;
  if (value.startsWith("run:")) return `run ${value.slice(4)}`;
  return /^[0-9a-f]{40}$/.test(value) ? value.slice(0, 8) : value;
}

export type Sides = { left: string; right: string };

/** The two sides that an address names, else the usual ones; null if there is nothing to compare. */
export function chosenSides(query: Record<string, string>, revisions: Revisions, runs: readonly Run[]): Sides | null {
  const usual = usualSides(revisions, runs);
  const [left, right] = [query["left"] || usual?.left, query["right"] || usual?.right];
  return left && right ? { left, right } : null;
}

/** The last commit and the workspace; without one, the two last runs, or the only run and the workspace. */
function usualSides(revisions: Revisions, runs: readonly Run[]): Sides | null {
  if (revisions.commits.length > 0) return { left: "HEAD", right: "workspace" };
  const [last, before] = comparable(runs);
  if (!last) return null;
  return before ? { left: `run:${before.run}`, right: `run:${last.run}` } : { left: `run:${last.run}`, right: "workspace" };
}
