// Parts of a graph that are alike: the members of a family with what each of them writes, or files that one stage reads.
import type { Link, SizedNode } from "./arrange.ts";

export interface KinNode extends SizedNode {
  /** The group that it belongs to, or ""; the members of several are never taken together. */
  kin: string;
}

/** Parts that are alike: nodes at the same position have the same neighbours outside, and lie alike within their part. */
export type Repeat = string[][];

/** Up to so many parts, a row of them can be read. */
const ONE_ROW = 12;
/** Parts with more nodes are laid out as any graph. */
const LARGEST_PART = 24;
/** Nodes with more edges are no part of a repeat, but what its parts have in common; the largest ones are tried first. */
const COMMON = [100, 30, ONE_ROW];

interface Around {
  up: string[];
  down: string[];
}

/** The repeats of a graph with more parts than fit into a row. No edge joins two of their parts. */
export function repeatsIn(nodes: readonly KinNode[], links: readonly Link[]): Repeat[] {
  const around = new Map<string, Around>(nodes.map(({ id }) => [id, { up: [], down: [] }]));
  for (const { from, to } of links) {
    around.get(from)?.down.push(to);
    around.get(to)?.up.push(from);
  }
  const rest = new Map(nodes.map((node) => [node.id, node]));
  const numbers = new Map<string, number>();
  const found: Repeat[] = [];
  for (const most of COMMON) {
    const alike = new Map<string, Repeat>();
    for (const part of partsOf(rest, around, most)) {
      const { key, ids } = inOrder(part, around, numbers);
      const known = alike.get(key);
      if (known) known.push(ids);
      else alike.set(key, [ids]);
    }
    for (const repeat of alike.values()) {
      if (repeat.length <= ONE_ROW) continue;
      found.push(repeat);
      for (const id of repeat.flat()) rest.delete(id);
    }
  }
  return found;
}

/** What is joined without the nodes of more edges than `most`, as long as it is small. */
function partsOf(rest: ReadonlyMap<string, KinNode>, around: ReadonlyMap<string, Around>, most: number): KinNode[][] {
  const near = (id: string): string[] => [...(around.get(id)?.up ?? []), ...(around.get(id)?.down ?? [])];
  const seen = new Set([...rest.keys()].filter((id) => near(id).length > most));
  const parts: KinNode[][] = [];
  for (const start of rest.values()) {
    if (seen.has(start.id)) continue;
    seen.add(start.id);
    const part = [start];
    for (const { id } of part)
      for (const other of near(id)) {
        const node = rest.get(other);
        if (!node || seen.has(other)) continue;
        seen.add(other);
        part.push(node);
      }
    if (part.length <= LARGEST_PART) parts.push(part);
  }
  return parts;
}

/** The nodes of a part in an order that parts which are alike share, and a key that is equal for these parts alone. */
function inOrder(part: KinNode[], around: ReadonlyMap<string, Around>, numbers: Map<string, number>): { key: string; ids: string[] } {
  const within = new Set(part.map((node) => node.id));
  const numberOf = (text: string): number => {
    const known = numbers.get(text) ?? numbers.size;
    numbers.set(text, known);
    return known;
  };
  const sides = (id: string, name: (other: string) => string | number): unknown[] => {
    const { up, down } = around.get(id) as Around;
    return [up.map(name).sort(), down.map(name).sort()];
  };
  const outside = (other: string): string => (within.has(other) ? "" : other);
  // Names make nodes longer, and not thicker: that tells stages from artifacts.
  let labels = new Map(part.map(({ id, width, height, kin }) => [id, numberOf(JSON.stringify([Math.min(width, height), kin, sides(id, outside)]))]));
  // After so many rounds, a label says what is around a node in most parts; the edges in the key settle the rest.
  for (let round = 0; round < Math.min(4, part.length - 1); round += 1) {
    const before = labels;
    labels = new Map(part.map(({ id }) => [id, numberOf(JSON.stringify([before.get(id), sides(id, (other) => before.get(other) ?? "")]))]));
  }
  const label = (id: string): number => labels.get(id) as number;
  const ids = part.map((node) => node.id).sort((one, other) => label(one) - label(other));
  const positions = new Map(ids.map((id, at) => [id, at]));
  const edges = ids.map((id) => (around.get(id) as Around).down.map((other) => positions.get(other) ?? -1).sort());
  return { key: JSON.stringify([ids.map(label), edges]), ids };
}
