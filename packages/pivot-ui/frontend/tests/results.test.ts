import assert from "node:assert/strict";
import { test } from "node:test";
import type { Result } from "../src/api/types.ts";
import { resultColumns, resultRows, wantedRows, wishFor, type Wishes, wishText } from "../src/views/results/columns.ts";
import { axesOf, type Axis, axisMarks, colourAt, nearestRow, partsOf, pathOf, placeOn, wishOn } from "../src/views/results/parallel.ts";

const result = (params: Record<string, unknown>, metrics: Record<string, unknown>, more: Partial<Result> = {}): Result => ({
  id: "ab".repeat(16), recorded: null, seconds: 1, current: false, stale: [], params, metrics, stages: [], ...more,
});
const results = [
  result({ rate: 0.1, kind: "forest", layers: [8], same: 1 }, { accuracy: 0.9, loss: 3 }),
  result({ rate: 0.2, kind: "linear", layers: [16], same: 1 }, { accuracy: 0.8, loss: "nan" }, { stale: ["train: code"] }),
  result({ rate: 0.4, kind: "linear", layers: [8], same: 1 }, { accuracy: 0.6 }, { current: true }),
];
const rows = resultRows(results);
const columns = resultColumns(rows);
const axes = axesOf(columns, rows);
const axis = (name: string): Axis => axes.find(({ title }) => title === name) as Axis;
const found = (search: string, wishes: Wishes = new Map()): number[] => wantedRows(rows, search, wishes).map(({ index }) => index);

test("a column is numeric where its values are numbers, even if some are not finite or missing", () => {
  const numeric = columns.filter((column) => column.numeric).map(({ name }) => name);
  assert.deepEqual(numeric, ["rate", "same", "accuracy", "loss", "seconds"]);
  assert.deepEqual(columns.filter(({ constant }) => constant).map(({ name }) => name), ["same"]);
  assert.deepEqual(resultColumns(rows.slice(0, 1)).filter(({ constant }) => constant), []);
});

test("rows are found by words, ranges and choices", () => {
  assert.deepEqual(found("linear RATE=0.2"), [1]);
  assert.deepEqual([found("stale"), found("current"), found("layers=[8]")], [[1], [2], [0, 2]]);
  const wishes = wishFor(new Map(), "param:rate", { kind: "range", least: 0.15, most: null });
  assert.deepEqual(found("", wishes), [1, 2]);
  assert.deepEqual(found("", wishFor(wishes, "param:kind", { kind: "choice", texts: new Set(["forest"]) })), []);
  assert.deepEqual(found("", wishFor(new Map(), "metric:loss", { kind: "range", least: 0, most: null })), [0]);
});

test("a wish of nothing is taken back, and a wish is said in words", () => {
  const wishes = wishFor(new Map(), "param:rate", { kind: "range", least: 0.1, most: 0.2 });
  assert.equal(wishText("rate", [...wishes.values()][0] as never), "rate ≥ 0.1 and ≤ 0.2");
  assert.equal(wishFor(wishes, "param:rate", { kind: "range", least: null, most: null }).size, 0);
  assert.equal(wishFor(wishes, "param:rate", null).size, 0);
  assert.equal(wishText("kind", { kind: "choice", texts: new Set(["a", ""]) }), "kind: a, none");
});

test("the greatest number is at the top of its axis, and what is missing interrupts a line", () => {
  assert.deepEqual([0.9, 0.75, 0.6].map((value) => placeOn(axis("accuracy"), value)?.toFixed(6)), ["0.000000", "0.500000", "1.000000"]);
  assert.deepEqual([placeOn(axis("loss"), "nan"), placeOn(axis("kind"), "linear"), placeOn(axis("kind"), undefined)], [null, 1, null]);
  const three = [axis("rate"), axis("loss"), axis("accuracy")];
  const path = (row: number): string => pathOf(three, rows[row] as never, (index) => index * 10, (place) => place * 100);
  assert.equal(path(0).match(/[ML]/g)?.join(""), "MLL");
  assert.equal(path(1).match(/[ML]/g)?.join(""), "MM");
});

test("a part of an axis wishes the values in it, and shows where it is", () => {
  const wish = wishOn(axis("accuracy"), 0.5, 0);
  assert.deepEqual(wish, { kind: "range", least: 0.75, most: null });
  assert.deepEqual(found("", wishFor(new Map(), "metric:accuracy", wish)), [0, 1]);
  const [part] = partsOf(axis("accuracy"), wish);
  assert.ok(part && part.from === 0 && Math.abs(part.to - 0.5) < 1e-9);
  assert.deepEqual(wishOn(axis("kind"), 0.9, 1.2), { kind: "choice", texts: new Set(["linear"]) });
  assert.equal(partsOf(axis("kind"), wishOn(axis("kind"), 0, 1)).length, 2);
});

test("the line that is nearest to the pointer is found, and none far from all lines", () => {
  const two = [axis("rate"), axis("accuracy")];
  assert.equal(nearestRow(two, rows, { x: 0, y: 0.99 }, 0.04)?.index, 0);
  assert.equal(nearestRow(two, rows, { x: 1, y: 0.99 }, 0.04)?.index, 2);
  assert.equal(nearestRow(two, rows, { x: 0, y: 0.3 }, 0.04), null);
});

test("the ends of an axis are marked, and its colours go from low to high", () => {
  assert.deepEqual(axisMarks(axis("rate"), 3), [{ place: 0, text: "0.4" }, { place: 0.5, text: "0.25" }, { place: 1, text: "0.1" }]);
  assert.deepEqual(axisMarks(axis("kind")).map(({ text }) => text), ["forest", "linear"]);
  assert.notEqual(colourAt(0), colourAt(1));
  assert.equal(colourAt(null), "var(--faint)");
});
