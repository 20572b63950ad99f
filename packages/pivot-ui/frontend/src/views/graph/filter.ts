// Finds nodes: by what the user types, by the states of their stages, and along the edges.
import type { LiveState } from "../../api/shared.ts";
import type { Graph } from "../../api/types.ts";
import { artifactId, stageId, type GraphNode, type Structure } from "./model.ts";

export type Direction = "upstream" | "downstream" | "both";

export interface Hit {
  id: string;
  label: string;
  kind: "stage" | "artifact";
}

/** The stages and artifacts with every word of the text in their names; the best matches first. */
export function search(graph: Graph, text: string): Hit[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const hits: [rank: number, hit: Hit][] = [];
  const look = (id: string, label: string, name: string, kind: Hit["kind"]): void => {
    const rank = rankOf(label.toLowerCase(), name.toLowerCase(), words);
    if (rank !== null) hits.push([rank + (kind === "artifact" ? 0.5 : 0), { id, label, kind }]);
  };
  for (const stage of graph.stages) look(stageId(stage.address), stage.address, stage.name, "stage");
  for (const artifact of graph.artifacts) look(artifactId(artifact.path), artifact.path, artifact.path.split("/").at(-1) ?? "", "artifact");
  return hits.sort(([one], [other]) => one - other).map(([, hit]) => hit);
}

function rankOf(label: string, name: string, words: string[]): number | null {
  if (!words.every((word) => label.includes(word))) return null;
  const [first = ""] = words;
  if (label === first || name === first) return 0;
  if (name.startsWith(first)) return 1;
  return name.includes(first) ? 2 : 3;
}

/** The nodes that lead to a node, or that it leads to, and the node. */
export function along(structure: Structure, id: string, direction: Direction): Set<string> {
  const found = new Set<string>([id]);
  for (const edges of direction === "both" ? [structure.upstream, structure.downstream] : [structure[direction]]) {
    const seen = new Set([id]);
    const waiting = [id];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
      for (const other of edges.get(next) ?? [])
        if (!seen.has(other)) {
          seen.add(other);
          found.add(other);
          waiting.push(other);
        }
  }
  return found;
}

/** The nodes that lead to some nodes, and these. */
export function leadingTo(structure: Structure, nodes: Iterable<GraphNode>): string[] {
  const found = new Set<string>();
  for (const { id } of nodes) found.add(id);
  for (const id of found) for (const other of structure.upstream.get(id) ?? []) found.add(other);
  return [...found];
}

/** How many stages are in each state, the states that need attention first. */
export const STATES: readonly string[] = ["running", "failed", "blocked", "stale", "always", "frozen", "cached", "unknown"];

export function countsOf(addresses: Iterable<string>, states: ReadonlyMap<string, LiveState>): [state: string, count: number][] {
  const counts = new Map<string, number>();
  for (const address of addresses) {
    const state = states.get(address) ?? "unknown";
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return STATES.flatMap((state): [string, number][] => {
    const count = counts.get(state);
    return count ? [[state, count]] : [];
  });
}

/** The state that a node shows: that of its stage, or the one of a group's stages that most needs attention. */
export const stateOf = (node: GraphNode, states: ReadonlyMap<string, LiveState>): string | null => countsOf(node.stages, states)[0]?.[0] ?? null;

/** Whether a node has a stage in one of the states; with none chosen, every node does. */
export function inStates(node: GraphNode, chosen: ReadonlySet<string>, states: ReadonlyMap<string, LiveState>): boolean {
  return !chosen.size || node.stages.some((address) => chosen.has(states.get(address) ?? "unknown"));
}

/** The next node for an arrow key: along an edge if `edges` go that way, or else the nearest one that is beyond. */
export function neighbour(
  structure: Structure,
  places: ReadonlyMap<string, Place>,
  id: string,
  step: { dx: number; dy: number },
  edges: boolean,
): string | null {
  const here = places.get(id);
  if (!here) return null;
  const nearest = (ids: Iterable<string>): string | null => {
    let [best, least] = [null as string | null, Infinity];
    for (const other of ids) {
      const place = places.get(other);
      if (!place || other === id || !isBeyond(here, place, step)) continue;
      const [x, y] = [place.x + place.width / 2 - here.x - here.width / 2, place.y + place.height / 2 - here.y - here.height / 2];
      const cost = Math.abs(x * step.dx + y * step.dy) + 3 * Math.abs(x * step.dy + y * step.dx);
      if (cost < least) [best, least] = [other, cost];
    }
    return best;
  };
  const linked = edges ? nearest([...(structure.upstream.get(id) ?? []), ...(structure.downstream.get(id) ?? [])]) : null;
  return linked ?? nearest(structure.nodes.map((node) => node.id));
}

type Place = { x: number; y: number; width: number; height: number };

function isBeyond(here: Place, other: Place, { dx, dy }: { dx: number; dy: number }): boolean {
  if (dx > 0) return other.x >= here.x + here.width;
  if (dx < 0) return other.x + other.width <= here.x;
  return dy > 0 ? other.y >= here.y + here.height : other.y + other.height <= here.y;
}
