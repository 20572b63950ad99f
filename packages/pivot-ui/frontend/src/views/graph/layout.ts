// Places the nodes and routes the edges. Parts of the graph that are alike are placed in blocks, each of which is arranged
// among the other nodes as if it were one of them.
import { arrange, type Link, type SizedNode } from "./placing/arrange.ts";
import { Block, shifted } from "./placing/blocks.ts";
import { reversed, turned, type Box, type Path } from "./edge_routes.ts";
import { repeatsIn, type KinNode } from "./placing/repeats.ts";

export interface LayoutQuestion {
  nodes: KinNode[];
  edges: Link[];
  sideways: boolean;
}

interface PlacedBlock {
  box: Box;
  /** The groups that its nodes belong to. */
  kin: string[];
  parts: number;
}

export interface Layout {
  places: Map<string, Box>;
  /** In the order of the edges asked for. */
  paths: Path[];
  blocks: PlacedBlock[];
}

/** The places of all nodes, from above to below or, sideways, from left to right. */
export function layOut(question: LayoutQuestion): Layout {
  if (!question.sideways) return layOutDown(question);
  const nodes = question.nodes.map((node) => ({ ...node, width: node.height, height: node.width }));
  const { places, paths, blocks } = layOutDown({ ...question, nodes });
  const turn = ({ x, y, width, height }: Box): Box => ({ x: y, y: x, width: height, height: width });
  return {
    places: new Map([...places].map(([id, box]) => [id, turn(box)])),
    paths: paths.map(turned),
    blocks: blocks.map((block) => ({ ...block, box: turn(block.box) })),
  };
}

function layOutDown({ nodes, edges, sideways }: LayoutQuestion): Layout {
  const { blocks, blockOf } = blocksOf({ nodes, edges, sideways });
  const nameOf = (id: string): string => blockOf.get(id) ?? id;
  const outer = new Map<string, Link>();
  const outerOf = ({ from, to }: Link): Link => ({ from: nameOf(from), to: nameOf(to) });
  for (const link of edges.map(outerOf)) if (link.from !== link.to) outer.set(JSON.stringify(link), link);
  const free: SizedNode[] = nodes.filter(({ id }) => !blockOf.has(id));
  for (const [id, { block }] of blocks) free.push({ id, width: block.width, height: block.height });
  const arranged = arrange(free, [...outer.values()], { nodes: sideways ? 14 : 26, rows: sideways ? 64 : 44 });
  const outerPaths = new Map([...outer.keys()].map((key, at) => [key, arranged.paths[at] as Path]));
  const boxAround = (id: string): Box => arranged.boxes.get(nameOf(id)) as Box;
  const places = new Map<string, Box>();
  for (const { id } of nodes) {
    const [around, within] = [boxAround(id), blocks.get(nameOf(id))?.block.boxOf(id)];
    places.set(id, within ? { ...within, x: around.x + within.x, y: around.y + within.y } : around);
  }
  const paths = edges.map((edge): Path => {
    const [source, target] = [blocks.get(nameOf(edge.from))?.block, blocks.get(nameOf(edge.to))?.block];
    if (source && source === target) return shifted(source.within(edge.from, edge.to), boxAround(edge.from).x, boxAround(edge.from).y);
    const path = outerPaths.get(JSON.stringify(outerOf(edge))) as Path;
    const begun = source ? reversed(continued(reversed(path), source, boxAround(edge.from), edge.from, edge.to)) : path;
    return target ? continued(begun, target, boxAround(edge.to), edge.to, edge.from) : begun;
  });
  const placed = [...blocks].map(([id, { block, kin }]) => ({ box: arranged.boxes.get(id) as Box, kin, parts: block.count }));
  return { places, paths, blocks: placed };
}

interface Blocks {
  blocks: Map<string, { block: Block; kin: string[] }>;
  /** The name of the block that a node is in. */
  blockOf: Map<string, string>;
}

function blocksOf({ nodes, edges, sideways }: LayoutQuestion): Blocks {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const [blocks, blockOf] = [new Map<string, { block: Block; kin: string[] }>(), new Map<string, string>()];
  const repeats = repeatsIn(nodes, edges);
  repeats.forEach((parts, at) => parts.flat().forEach((id) => blockOf.set(id, `block ${at}`)));
  const links = new Map<string, Link[]>(repeats.map((_, at) => [`block ${at}`, []]));
  for (const edge of edges) for (const name of new Set([blockOf.get(edge.from), blockOf.get(edge.to)])) if (name !== undefined) links.get(name)?.push(edge);
  repeats.forEach((parts, at) => {
    const kin = [...new Set(parts.flat().map((id) => byId.get(id)?.kin ?? ""))].filter(Boolean);
    blocks.set(`block ${at}`, { block: new Block(parts, byId, links.get(`block ${at}`) ?? [], sideways), kin });
  });
  return { blocks, blockOf };
}

/** A path that ends at the box of a block, continued to a node in it, for its edge with another one. */
function continued(path: Path, block: Block, box: Box, id: string, other: string): Path {
  const [x, y] = [path.at(-2) as number, path.at(-1) as number];
  const fromAbove = y < box.y + box.height / 2;
  const rest = fromAbove ? block.enter(x - box.x, id, other) : reversed(block.leave(x - box.x, id, other));
  return [...path, ...shifted(rest, box.x, box.y).slice(2)];
}
