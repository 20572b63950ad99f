// Arranges nodes in rows from above to below, with routed edges between them.
import dagre from "@dagrejs/dagre";
import { bandsOf, pathOf, reversed, type Box, type Path, type Point } from "../edge_routes.ts";

export interface SizedNode {
  id: string;
  width: number;
  height: number;
}

export interface Link {
  from: string;
  to: string;
}

interface Gaps {
  /** Between nodes of a row. */
  nodes: number;
  /** Between rows. */
  rows: number;
}

interface Arranged {
  boxes: Map<string, Box>;
  /** In the order of the links. */
  paths: Path[];
  width: number;
  height: number;
}

/** For more nodes, ranks are found in a way that takes no minutes. */
const MANY = 250;
/** The most that the ends of two edges at a box are apart. */
const PORT = 12;

interface Placed extends Box {
  id: string;
}

export function arrange(nodes: readonly SizedNode[], links: readonly Link[], gaps: Gaps): Arranged {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "TB", nodesep: gaps.nodes, edgesep: 12, ranksep: gaps.rows, ranker: nodes.length > MANY ? "tight-tree" : "network-simplex" });
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  for (const { from, to } of links) graph.setEdge(from, to, {});
  dagre.layout(graph);
  const boxes = new Map<string, Placed>();
  for (const { id } of nodes) {
    const { x, y, width, height } = graph.node(id) as Required<Box>;
    boxes.set(id, { id, x: x - width / 2, y: y - height / 2, width, height });
  }
  let [width, height] = [0, 0];
  for (const box of boxes.values()) [width, height] = [Math.max(width, box.x + box.width), Math.max(height, box.y + box.height)];
  const isMirrored = readsBackwards(boxes.values());
  if (isMirrored) for (const box of boxes.values()) box.x = width - box.x - box.width;
  const paths = routes(links, boxes, (from, to) => {
    const points = ((graph.edge(from, to) as { points?: Point[] }).points ?? []).slice(1, -1);
    return isMirrored ? points.map(({ x, y }) => ({ x: width - x, y })) : points;
  });
  return { boxes, paths, width, height };
}

/** Whether most neighbours in a row are in the other order than they were given in, which is that of their names. */
function readsBackwards(boxes: Iterable<Box>): boolean {
  const last = new Map<number, number>();
  let backwards = 0;
  for (const { x, y, height } of boxes) {
    const row = Math.round(y + height / 2);
    const before = last.get(row);
    if (before !== undefined) backwards += before > x ? 1 : -1;
    last.set(row, x);
  }
  return backwards > 0;
}

function routes(links: readonly Link[], boxes: ReadonlyMap<string, Placed>, pointsOf: (from: string, to: string) => Point[]): Path[] {
  const bands = bandsOf(boxes.values());
  const parts = links.map(({ from, to }) => {
    const [start, end] = [boxes.get(from) as Placed, boxes.get(to) as Placed];
    const points = pointsOf(from, to);
    // Groups that are collapsed may make a circle; then an edge leads up.
    const up = start.y > end.y;
    return { up, upper: up ? end : start, lower: up ? start : end, points: up ? points.reverse() : points };
  });
  const middle = (box: Box): number => box.x + box.width / 2;
  const starts = ports(parts, (part) => part.upper, (part) => part.points[0]?.x ?? middle(part.lower));
  const ends = ports(parts, (part) => part.lower, (part) => part.points.at(-1)?.x ?? middle(part.upper));
  return parts.map(({ up, upper, lower, points }, index) => {
    const path = pathOf(bands, upper, lower, points, starts[index] as number, ends[index] as number);
    return up ? reversed(path) : path;
  });
}

/** Where each edge meets a box: side by side in the order of their other ends, so that they do not cross there. */
function ports<T>(parts: T[], boxOf: (part: T) => Placed, towards: (part: T) => number): number[] {
  const found = new Array<number>(parts.length);
  const byBox = new Map<string, number[]>();
  parts.forEach((part, index) => {
    const { id } = boxOf(part);
    const known = byBox.get(id);
    if (known) known.push(index);
    else byBox.set(id, [index]);
  });
  for (const indices of byBox.values()) {
    const box = boxOf(parts[indices[0] as number] as T);
    indices.sort((one, other) => towards(parts[one] as T) - towards(parts[other] as T));
    const apart = Math.min(PORT, (box.width - 16) / Math.max(1, indices.length - 1));
    indices.forEach((index, at) => {
      found[index] = box.x + box.width / 2 + (at - (indices.length - 1) / 2) * apart;
    });
  }
  return found;
}
