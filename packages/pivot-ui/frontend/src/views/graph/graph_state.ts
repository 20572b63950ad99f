// What the user has chosen in the graph; it stays while other views are shown.
import { graph } from "../../api/shared.ts";
import { go, place, type Route } from "../../routes.ts";
import { Store } from "../../store.ts";
import type { Direction } from "./filter.ts";
import { artifactId, collapsedAtFirst, groupsOf, stageId, type GraphNode } from "./model.ts";
import type { Viewport } from "./drawing/viewport.ts";

interface Focus {
  id: string;
  direction: Direction;
}

/** Groups that the user has collapsed (true) or expanded (false). */
export const folded = new Store<ReadonlyMap<string, boolean>>(new Map());
export const artifactsShown = new Store(true);
export const sideways = new Store(false);
export const focus = new Store<Focus | null>(null);
export const chosenStates = new Store<ReadonlySet<string>>(new Set());
/** Whether only the stages in the chosen states are shown, with what leads to them; or all, and these stand out. */
export const onlyChosen = new Store(false);
/** The node that keys move from, and whose edges stand out. */
export const cursor = new Store<string | null>(null);
/** Whether the list beside the graph is shown; null: if there is room. */
export const listShown = new Store<boolean | null>(null);
/** The item that shall be brought into view once its layout is there. */
export const wanted = new Store<{ id: string } | null>(null);
/** Where the user looks, null until the first layout; and the view of all, from which nobody has moved while both are the same. */
export const seat: { view: Viewport | null; whole: Viewport | null } = { view: null, whole: null };

/** The groups that are collapsed now. */
export function collapsedNow(): Set<string> {
  const found = graph.value ? collapsedAtFirst(graph.value) : new Set<string>();
  for (const [id, is] of folded.value) {
    if (is) found.add(id);
    else found.delete(id);
  }
  return found;
}

export function fold(id: string, collapsed: boolean): void {
  folded.set(new Map(folded.value).set(id, collapsed));
}

export function foldAll(collapsed: boolean): void {
  if (graph.value) folded.set(new Map([...groupsOf(graph.value).keys()].map((id) => [id, collapsed])));
}

/** The item that an address of the page is about: a stage or an artifact. */
export function selectedBy(route: Route): string | null {
  if (route.view === "stage") return stageId(route.parts[0] ?? "");
  if (route.view === "artifact") return artifactId(route.query["path"] ?? "");
  return null;
}

/** Open what a node stands for; a group is expanded. */
export function open(node: GraphNode): void {
  cursor.set(node.id);
  if (node.stage) go(place("stage", [node.stage.address]));
  else if (node.artifact) go(place("artifact", [], { path: node.artifact.path }));
  else fold(node.id, false);
}

/** Show an item where it is in the graph, and open it: groups around it are expanded. */
export function jump(id: string): void {
  const shown = graph.value;
  if (!shown) return;
  const stage = shown.stages.find((each) => stageId(each.address) === id);
  const artifact = shown.artifacts.find((each) => artifactId(each.path) === id);
  const ends = new Set(artifact ? [artifact.writer, ...artifact.readers] : [stage?.address]);
  const collapsed = collapsedNow();
  const next = new Map(folded.value);
  for (const [group, { stages }] of groupsOf(shown))
    if (collapsed.has(group) && stages.some((each) => ends.has(each.address))) next.set(group, false);
  folded.set(next);
  if (artifact) artifactsShown.set(true);
  focus.set(null);
  wanted.set({ id });
  if (stage) go(place("stage", [stage.address]));
  else if (artifact) go(place("artifact", [], { path: artifact.path }));
}

/** Take back the last choice: the focus on a part, the filter, or the node that keys move from. */
export function clear(): void {
  if (focus.value) return focus.set(null);
  if (!chosenStates.value.size) return cursor.set(null);
  chosenStates.set(new Set());
  return go(place("graph"));
}
