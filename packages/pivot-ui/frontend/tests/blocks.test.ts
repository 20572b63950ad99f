import assert from "node:assert/strict";
import { test } from "node:test";
import type { Box, Path } from "../src/views/graph/edge_routes.ts";
import { layOut, type Layout, type LayoutQuestion } from "../src/views/graph/layout.ts";
import { repeatsIn } from "../src/views/graph/placing/repeats.ts";

type Nodes = LayoutQuestion["nodes"];

const node = (id: string, kin = "", height = 36): Nodes[number] => ({ id, kin, height, width: 70 + 8 * id.length });
const links = (...pairs: [string, string][]): LayoutQuestion["edges"] => pairs.map(([from, to]) => ({ from, to }));
const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

/** Members that read one file, and each of which writes another that one stage reads. */
function family(count: number, sideways = false): LayoutQuestion {
  const nodes = [node("in", "", 26), ...numbers(count).flatMap((at) => [node(`fold@${at}`, "fold"), node(`${at}.txt`, "fold", 26)]), node("mean")];
  const edges = numbers(count).flatMap((at) => links(["in", `fold@${at}`], [`fold@${at}`, `${at}.txt`], [`${at}.txt`, "mean"]));
  return { nodes, edges, sideways };
}

const centre = ({ x, y, width, height }: Box): [number, number] => [x + width / 2, y + height / 2];
const extent = (layout: Layout): { width: number; height: number } => {
  const boxes = [...layout.places.values()];
  return { width: Math.max(...boxes.map((box) => box.x + box.width)), height: Math.max(...boxes.map((box) => box.y + box.height)) };
};

/** Points along a path. */
function* along(path: Path): Generator<[number, number]> {
  for (let at = 2; at < path.length; at += 6) {
    const [x0, y0, x1, y1, x2, y2, x3, y3] = path.slice(at - 2, at + 6) as [number, number, number, number, number, number, number, number];
    const steps = Math.max(2, Math.ceil(Math.hypot(x3 - x0, y3 - y0) / 4));
    for (let step = 0; step <= steps; step += 1) {
      const [t, s] = [step / steps, 1 - step / steps];
      const mix = (a: number, b: number, c: number, d: number): number => s * s * s * a + 3 * s * s * t * b + 3 * s * t * t * c + t * t * t * d;
      yield [mix(x0, x1, x2, x3), mix(y0, y1, y2, y3)];
    }
  }
}

/** A function that names the boxes at a point, which looks only at those near it. */
function boxesAt(places: ReadonlyMap<string, Box>): (x: number, y: number) => string[] {
  const cells = new Map<string, [string, Box][]>();
  const size = 100;
  for (const [id, box] of places)
    for (let column = Math.floor(box.x / size); column <= Math.floor((box.x + box.width) / size); column += 1)
      for (let row = Math.floor(box.y / size); row <= Math.floor((box.y + box.height) / size); row += 1) {
        const key = `${column} ${row}`;
        cells.set(key, [...(cells.get(key) ?? []), [id, box]]);
      }
  return (x, y) =>
    (cells.get(`${Math.floor(x / size)} ${Math.floor(y / size)}`) ?? [])
      .filter(([, box]) => x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height)
      .map(([id]) => id);
}

/** Each edge joins its ends and meets no other box, and no two boxes overlap. */
function check(question: LayoutQuestion): Layout {
  const layout = layOut(question);
  const at = boxesAt(layout.places);
  for (const [id, box] of layout.places) {
    assert.deepEqual(at(...centre(box)), [id]);
    for (const [x, y] of [[box.x + 1, box.y + 1], [box.x + box.width - 1, box.y + box.height - 1]] as const) assert.deepEqual(at(x, y), [id]);
  }
  question.edges.forEach(({ from, to }, index) => {
    const path = layout.paths[index] as Path;
    const met = new Set([...along(path)].flatMap(([x, y]) => at(x, y)));
    assert.deepEqual([...met].filter((id) => id !== from && id !== to), [], `${from} to ${to}`);
    const touches = (id: string, x: number, y: number): boolean => {
      const box = layout.places.get(id) as Box;
      return x >= box.x - 0.1 && x <= box.x + box.width + 0.1 && y >= box.y - 0.1 && y <= box.y + box.height + 0.1;
    };
    assert.ok(touches(from, path[0] as number, path[1] as number) && touches(to, path.at(-2) as number, path.at(-1) as number), `${from} to ${to}`);
  });
  return layout;
}

test("a family of ten is a row", () => {
  const { blocks, places } = check(family(10));
  assert.deepEqual(blocks, []);
  assert.equal(new Set(numbers(10).map((at) => places.get(`fold@${at}`)?.y)).size, 1);
});

for (const count of [13, 50, 300, 1000])
  for (const sideways of [false, true])
    test(`a family of ${count} is a block with the shape of a window${sideways ? ", also sideways" : ""}`, () => {
      const layout = check(family(count, sideways));
      assert.deepEqual(layout.blocks.map(({ kin, parts }) => [kin, parts]), [[["fold"], count]]);
      const { width, height } = extent(layout);
      assert.ok(width / height > 0.6 && width / height < 3.2, `${width} to ${height}`);
      const [first, second] = [layout.places.get("fold@0") as Box, layout.places.get("fold@1") as Box];
      assert.ok(sideways ? first.x === second.x && first.y < second.y : first.y === second.y && first.x < second.x, "members are in their order");
    });

test("all of a block's nodes are within its box, and no other node is", () => {
  const { blocks, places } = layOut(family(50));
  const box = blocks[0]?.box as Box;
  for (const [id, place] of places) {
    const [x, y] = centre(place);
    assert.equal(x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height, id !== "in" && id !== "mean", id);
  }
});

test("many sources that one stage reads are a block, and so are stages that nothing joins", () => {
  const sources = numbers(300).map((at) => node(`raw/${at}.csv`, "", 26));
  const read = { nodes: [...sources, node("merge")], edges: sources.map(({ id }) => ({ from: id, to: "merge" })), sideways: false };
  assert.deepEqual(check(read).blocks.map(({ parts }) => parts), [300]);
  assert.deepEqual(check({ nodes: numbers(40).map((at) => node(`s${at}`)), edges: [], sideways: true }).blocks.map(({ parts }) => parts), [40]);
});

test("parts with several edges to the outside, some of them in their middle, share lanes", () => {
  const ids = numbers(30);
  const nodes = [node("a"), node("b"), node("c"), node("left"), node("right"), ...ids.flatMap((at) => [node(`fit@${at}`, "fit"), node(`model${at}`, "fit", 26), node(`log${at}`, "fit", 26), node(`test@${at}`, "test")])];
  const edges = ids.flatMap((at) =>
    links(["a", `fit@${at}`], ["b", `fit@${at}`], ["c", `test@${at}`], [`fit@${at}`, `model${at}`], [`fit@${at}`, `log${at}`], [`model${at}`, `test@${at}`], [`model${at}`, "left"], [`test@${at}`, "right"]),
  );
  for (const sideways of [false, true]) assert.deepEqual(check({ nodes, edges, sideways }).blocks.map(({ parts }) => parts), [30]);
});

test("a block whose stages read what depends on them is drawn, with edges that lead up", () => {
  const { nodes, edges } = family(20);
  const circle = { nodes, edges: [...edges, ...numbers(20).flatMap((at) => links(["mean", `fold@${at}`]))], sideways: false };
  assert.deepEqual(check(circle).blocks.map(({ parts }) => parts), [20]);
});

test("members of two families are not mixed, and a part that differs is no part of the block", () => {
  const families = ["one", "two"].flatMap((kin) => numbers(15).map((at) => node(`${kin}@${at}`, kin)));
  const edges = families.map(({ id }) => ({ from: "in", to: id }));
  const repeats = repeatsIn([node("in"), ...families, node("more")], [...edges, { from: "one@3", to: "more" }]);
  assert.deepEqual(repeats.map((parts) => parts.length).sort(), [14, 15]);
  assert.ok(!repeats.flat(2).includes("one@3"));
  for (const parts of repeats) assert.equal(new Set(parts.flat().map((id) => id.split("@")[0])).size, 1);
});

test("members that write many files are alike, too", () => {
  const nodes = [node("in"), ...numbers(40).flatMap((at) => [node(`s@${at}`, "s"), ...numbers(20).map((file) => node(`${at}/${file}`, "s", 26))])];
  const edges = numbers(40).flatMap((at) => [...links(["in", `s@${at}`]), ...numbers(20).flatMap((file) => links([`s@${at}`, `${at}/${file}`]))]);
  assert.deepEqual(check({ nodes, edges, sideways: false }).blocks.map(({ parts }) => parts), [40]);
});
