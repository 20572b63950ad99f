import assert from "node:assert/strict";
import { test } from "node:test";
import type { Graph, GraphStage } from "../src/api/types.ts";
import { anchored, fit, overview, reveal, seen, zoomAt } from "../src/views/graph/drawing/viewport.ts";
import { reversed, turned, type Box, type Path } from "../src/views/graph/edge_routes.ts";
import { along, countsOf, inStates, leadingTo, neighbour, search } from "../src/views/graph/filter.ts";
import { layOut, type Layout, type LayoutQuestion } from "../src/views/graph/layout.ts";
import { collapsedAtFirst, groupsOf, structureOf, treeRows, type Structure } from "../src/views/graph/model.ts";

const stage = (name: string, upstream: string[] = [], more: Partial<GraphStage> = {}): GraphStage => {
  const pipeline = more.pipeline ?? "p";
  const family = name.includes("@") ? (name.split("@")[0] as string) : null;
  return {
    name, address: `${pipeline}.${name}`, pipeline, family, kind: "function", deps: [], outs: [{ path: `${name}.txt`, cache: true }],
    upstream, after: [], file: "pipeline.py", line: 1, desc: "", frozen: false, always: false, executor: null, ...more,
  };
};

function graphOf(stages: GraphStage[]): Graph {
  const artifacts = stages.map((each) => ({
    path: `${each.name}.txt`, kind: "out" as const, directory: false, writer: each.address, view: null,
    readers: stages.filter((other) => other.upstream.includes(each.address)).map((other) => other.address),
  }));
  const source = { path: "raw/in.csv", kind: "source" as const, directory: false, writer: null, view: null, readers: stages.filter((each) => !each.upstream.length).map((each) => each.address) };
  return { stages, artifacts: [...artifacts, source], broken: [] };
}

const folds = (count: number): GraphStage[] => Array.from({ length: count }, (_, at) => stage(`fold@${at}`, ["p.split"]));
const family = (count: number): Graph => graphOf([stage("split"), ...folds(count), stage("mean", folds(count).map((each) => each.address))]);
const ids = (structure: Structure): string[] => structure.nodes.map((node) => node.id);
const asked = (structure: Structure, sideways = false): LayoutQuestion => ({ nodes: structure.nodes.map((node) => ({ ...node, kin: node.group ?? "" })), edges: structure.edges, sideways });

test("a collapsed family is one node, with what it alone writes", () => {
  const structure = structureOf(family(3), new Set(["f:p.fold"]), true);
  assert.deepEqual(ids(structure), ["s:p.split", "f:p.fold", "s:p.mean", "a:split.txt", "a:mean.txt", "a:raw/in.csv"]);
  assert.deepEqual(structure.byId.get("f:p.fold")?.stages, ["p.fold@0", "p.fold@1", "p.fold@2"]);
  assert.deepEqual([structure.shownBy.get("s:p.fold@1"), structure.shownBy.get("a:fold@1.txt")], ["f:p.fold", "f:p.fold"]);
  assert.deepEqual(structure.downstream.get("f:p.fold"), ["s:p.mean"]);
});

test("without artifacts, stages are joined to those that read their outs", () => {
  const structure = structureOf(family(2), new Set(), false);
  assert.deepEqual(structure.edges.map((edge) => [edge.from, edge.to]), [
    ["s:p.split", "s:p.fold@0"], ["s:p.split", "s:p.fold@1"], ["s:p.fold@0", "s:p.mean"], ["s:p.fold@1", "s:p.mean"],
  ]);
});

test("large families begin collapsed, and pipelines where there is much more", () => {
  assert.deepEqual([...collapsedAtFirst(family(5))], []);
  assert.deepEqual([...collapsedAtFirst(family(6))], ["f:p.fold"]);
  const many = (pipeline: string): GraphStage[] => Array.from({ length: 50 }, (_, at) => stage(`s${at}`, [], { pipeline }));
  assert.deepEqual([...collapsedAtFirst(graphOf([...many("p"), ...many("q")]))].sort(), ["p:p", "p:q"]);
  assert.deepEqual([...groupsOf(graphOf(many("p"))).keys()], [], "one pipeline is no group");
});

test("a stage that only runs after another is joined otherwise than one that reads it", () => {
  const structure = structureOf(graphOf([stage("a"), stage("b", ["p.a"], { after: ["p.a"] }), stage("c", [], { after: ["p.a"] })]), new Set(), false);
  assert.deepEqual(structure.edges.map(({ from, to, after }) => [from, to, after]), [["s:p.a", "s:p.b", false], ["s:p.a", "s:p.c", true]]);
});

/** The boxes that a path meets, other than its ends. */
function met(layout: Layout, path: Path, ends: string[]): string[] {
  const points: [number, number][] = [];
  let [x0, y0] = [path[0] as number, path[1] as number];
  for (let at = 2; at < path.length; at += 6) {
    const [x1, y1, x2, y2, x3, y3] = path.slice(at, at + 6) as [number, number, number, number, number, number];
    for (let step = 0; step <= 40; step += 1) {
      const [t, s] = [step / 40, 1 - step / 40];
      const mix = (a: number, b: number, c: number, d: number): number => s * s * s * a + 3 * s * s * t * b + 3 * s * t * t * c + t * t * t * d;
      points.push([mix(x0, x1, x2, x3), mix(y0, y1, y2, y3)]);
    }
    [x0, y0] = [x3, y3];
  }
  const inside = (box: Box, [x, y]: [number, number]): boolean => x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height;
  return [...layout.places].filter(([id, box]) => !ends.includes(id) && points.some((point) => inside(box, point))).map(([id]) => id);
}

function someGraph(seed: number, count: number): Graph {
  let state = seed;
  const random = (below: number): number => ((state = (state * 1103515245 + 12345) % 2147483648) >> 8) % below;
  const stages = Array.from({ length: count }, (_, at) => {
    const upstream = [...new Set(Array.from({ length: at ? random(3) : 0 }, () => `p.${"s".repeat(1 + (random(at) % 9))}${random(at)}`))];
    return stage(`${"s".repeat(1 + (at % 9))}${at}`, upstream);
  });
  const names = new Set(stages.map((each) => each.address));
  for (const [at, each] of stages.entries()) each.upstream = each.upstream.filter((name) => names.has(name)).concat(at > 2 ? [stages[random(at)]!.address] : []);
  return graphOf(stages);
}

test("no edge meets a node but its ends, and no two nodes overlap", () => {
  for (let seed = 1; seed <= 12; seed += 1)
    for (const sideways of [false, true]) {
      const structure = structureOf(someGraph(seed, 14 + seed), new Set(), seed % 2 === 0);
      const layout = layOut(asked(structure, sideways));
      structure.edges.forEach((edge, at) => assert.deepEqual(met(layout, layout.paths[at] as Path, [edge.from, edge.to]), [], `seed ${seed}, ${edge.from} to ${edge.to}`));
      const boxes = [...layout.places.values()];
      for (const [at, one] of boxes.entries())
        for (const other of boxes.slice(0, at))
          assert.ok(one.x >= other.x + other.width || other.x >= one.x + one.width || one.y >= other.y + other.height || other.y >= one.y + one.height);
    }
});

test("each edge goes from its first node to its second, also where groups make a circle", () => {
  const circle = graphOf([stage("a@1"), stage("b", ["p.a@1"]), stage("a@2", ["p.b"])]);
  const structure = structureOf(circle, new Set(["f:p.a"]), false);
  assert.equal(structure.edges.length, 2);
  const layout = layOut(asked(structure));
  for (const [at, edge] of structure.edges.entries()) {
    const [path, from, to] = [layout.paths[at] as Path, layout.places.get(edge.from) as Box, layout.places.get(edge.to) as Box];
    assert.ok([from.y, from.y + from.height].includes(path[1] as number) && [to.y, to.y + to.height].includes(path.at(-1) as number));
  }
});

test("a path is turned and reversed point by point", () => {
  assert.deepEqual(reversed([1, 2, 3, 4, 5, 6, 7, 8]), [7, 8, 5, 6, 3, 4, 1, 2]);
  assert.deepEqual(turned([1, 2, 3, 4]), [2, 1, 4, 3]);
});

test("every word of a search is in what it finds, names first", () => {
  const graph = graphOf([stage("train"), stage("retrain"), stage("load", [], { pipeline: "training" })]);
  assert.deepEqual(search(graph, "train").map((hit) => hit.label), ["p.train", "train.txt", "p.retrain", "retrain.txt", "training.load"]);
  assert.deepEqual(search(graph, "LOAD training").map((hit) => hit.label), ["training.load"]);
  assert.deepEqual(search(graph, "  "), []);
});

test("a node's relatives are all that lead to it, or that it leads to", () => {
  const structure = structureOf(graphOf([stage("a"), stage("b", ["p.a"]), stage("c", ["p.b"]), stage("d", ["p.a"])]), new Set(), false);
  assert.deepEqual([...along(structure, "s:p.b", "upstream")].sort(), ["s:p.a", "s:p.b"]);
  assert.deepEqual([...along(structure, "s:p.b", "downstream")].sort(), ["s:p.b", "s:p.c"]);
  assert.deepEqual([...along(structure, "s:p.b", "both")].sort(), ["s:p.a", "s:p.b", "s:p.c"]);
});

test("what leads to some nodes is found with them", () => {
  const structure = structureOf(graphOf([stage("a"), stage("b", ["p.a"]), stage("c"), stage("d", ["p.b"])]), new Set(), false);
  const nodes = ["s:p.b", "s:p.c"].map((id) => structure.byId.get(id)!);
  assert.deepEqual(leadingTo(structure, nodes).sort(), ["s:p.a", "s:p.b", "s:p.c"]);
});

test("members of a small family are in their order, too", () => {
  const { places } = layOut(asked(structureOf(family(10), new Set(), true)));
  const lefts = folds(10).map((each) => places.get(`s:${each.address}`)?.x as number);
  assert.deepEqual(lefts, [...lefts].sort((one, other) => one - other));
});

test("states are counted, those first that need attention", () => {
  const states = new Map([["a", "cached"], ["b", "failed"], ["c", "cached"]] as const);
  assert.deepEqual(countsOf(["a", "b", "c", "d"], states), [["failed", 1], ["cached", 2], ["unknown", 1]]);
});

test("a group is in a state if one of its stages is", () => {
  const structure = structureOf(family(3), new Set(["f:p.fold"]), false);
  const group = structure.byId.get("f:p.fold")!;
  const states = new Map([["p.fold@1", "stale"]] as const);
  assert.deepEqual(["stale", "cached"].map((state) => inStates(group, new Set([state]), states)), [true, false]);
});

test("an arrow leads along an edge before it leads to a node beside", () => {
  const structure = structureOf(graphOf([stage("a"), stage("b", ["p.a"]), stage("c", ["p.a"])]), new Set(), false);
  const { places } = layOut(asked(structure));
  const [left, right] = (places.get("s:p.b")!.x < places.get("s:p.c")!.x ? ["s:p.b", "s:p.c"] : ["s:p.c", "s:p.b"]) as [string, string];
  assert.equal(neighbour(structure, places, left, { dx: 0, dy: -1 }, true), "s:p.a");
  assert.equal(neighbour(structure, places, left, { dx: 1, dy: 0 }, false), right);
  assert.equal(neighbour(structure, places, left, { dx: 0, dy: 1 }, true), null);
});

test("the point below the pointer stays there while the view zooms", () => {
  const view = { left: 30, top: -20, scale: 0.5 };
  const [x, y] = [200, 100];
  const next = zoomAt(view, x, y, 1.7);
  for (const [at, side] of [[x, "left"], [y, "top"]] as const) assert.ok(Math.abs((at - view[side]) / view.scale - (at - next[side]) / next.scale) < 1e-9);
});

test("all fits into the window, and what is wanted comes into view", () => {
  const window = { width: 800, height: 600 };
  const whole = { x: -50, y: 0, width: 4000, height: 900 };
  const view = fit(whole, window);
  const area = seen(view, window);
  assert.ok(area.x <= whole.x && area.y <= whole.y && area.x + area.width >= whole.x + whole.width && area.y + area.height >= whole.y + whole.height);
  const box = { x: 3000, y: 500, width: 100, height: 40 };
  const shown = reveal(view, box, window);
  assert.equal(shown.scale, 0.8);
  const all = fit({ x: 0, y: 0, width: 1150, height: 800 }, window);
  assert.equal(reveal(all, { x: 900, y: 700, width: 100, height: 40 }, window), all, "names can be read in a view of all");
  assert.equal(reveal(shown, box, window), shown, "nothing moves if it is seen");
  const right = reveal(shown, { ...box, x: box.x + 900 }, window);
  assert.deepEqual([right.scale, right.top], [shown.scale, shown.top], "it moves no farther than it must");
  const room = seen(right, window);
  assert.ok(room.x < box.x + 900 && room.x + room.width > box.x + 1000);
});

test("a chain is shown from its beginning where all of its names could not be read", () => {
  const window = { width: 800, height: 600 };
  const chain = { x: 0, y: 10, width: 200, height: 6000 };
  const view = overview(chain, window, false);
  const area = seen(view, window);
  assert.equal(view.scale, 0.5);
  assert.ok(area.y < chain.y && area.x < chain.x && area.x + area.width > chain.x + chain.width);
  const across = overview({ x: 10, y: 0, width: 6000, height: 200 }, window, true);
  assert.ok(across.scale === 0.5 && seen(across, window).x < 10);
  for (const box of [{ x: 0, y: 0, width: 6000, height: 4000 }, { x: 0, y: 0, width: 300, height: 500 }]) assert.deepEqual(overview(box, window, false), fit(box, window));
});

test("a node stays where it is on the screen when the layout changes", () => {
  const view = { left: 10, top: 10, scale: 2 };
  const next = anchored(view, { x: 5, y: 5, width: 1, height: 1 }, { x: 105, y: 55, width: 1, height: 1 });
  assert.deepEqual([5 * 2 + view.left, 5 * 2 + view.top], [105 * 2 + next.left, 55 * 2 + next.top]);
});

test("the tree has every stage once, with its place among its siblings", () => {
  const graph = graphOf([stage("a"), ...folds(3), stage("z", [], { pipeline: "q" })]);
  const rows = treeRows(graph, () => true, () => true);
  assert.deepEqual(rows.map((row) => `${row.level} ${row.label} ${row.position}/${row.siblings}`), ["1 p 1/2", "2 a 1/2", "2 fold 2/2", "3 fold@0 1/3", "3 fold@1 2/3", "3 fold@2 3/3", "1 q 2/2", "2 z 1/1"]);
  assert.deepEqual(treeRows(graph, (id) => id === "p:q", (address) => address === "q.z").map((row) => row.label), ["q", "z"]);
});
