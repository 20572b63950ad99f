import assert from "node:assert/strict";
import { test } from "node:test";
import type { Result } from "../src/api/types.ts";
import { resultColumns, resultRows, wantedRows, wishFor, type Wishes, wishText } from "../src/views/results/columns.ts";
import { type Axis, chosenAxes, possibleAxes, titleLines, usualAxes } from "../src/views/results/axes.ts";
import { csvOf } from "../src/views/results/csv.ts";
import { axisMarks, colourAt, nearestRow, NONE, partAfter, partsOf, pathOf, placeOn, wishOn } from "../src/views/results/parallel.ts";
import { sortRows } from "../src/parts/sorting.ts";

const result = (params: Record<string, unknown>, metrics: Record<string, unknown>, more: Partial<Result> = {}): Result => ({
  id: "ab".repeat(16), recorded: null, seconds: 1, current: false, stale: [], params, metrics, stages: [], ...more,
});
const results = [
  result({ rate: 0.1, kind: "forest", layers: [8], same: 1 }, { accuracy: 0.9, loss: 3 }),
  result({ rate: 0.2, kind: "linear", layers: [16], same: 1 }, { accuracy: 0.8, loss: "NaN" }, { stale: ["train: code"] }),
  result({ rate: 0.4, kind: "linear", layers: [8], same: 1 }, { accuracy: 0.6 }, { current: true }),
];
const rows = resultRows(results);
const columns = resultColumns(rows);
const axes = possibleAxes(columns, rows);
const axis = (name: string): Axis => axes.find(({ title }) => title === name) as Axis;
const found = (search: string, wishes: Wishes = new Map()): number[] => wantedRows(rows, search, wishes).map(({ index }) => index);

test("a column is numeric where its values are numbers, even if some are not finite or missing", () => {
  const numeric = columns.filter((column) => column.numeric).map(({ name }) => name);
  assert.deepEqual(numeric, ["rate", "same", "accuracy", "loss", "seconds"]);
  assert.deepEqual(columns.filter(({ constant }) => constant).map(({ name }) => name), ["same"]);
});

test("the parameters of one result alone go into its summary", () => {
  const same = resultColumns(rows.slice(0, 1)).filter(({ constant }) => constant);
  assert.deepEqual(same.map(({ name }) => name), ["rate", "kind", "layers", "same"]);
});

test("numbers sort as numbers among values that are null or not finite, which are last in both directions", () => {
  const depths = resultRows([null, 10, 9, "NaN", "Infinity", -1].map((depth) => result({ depth }, {})));
  const sorted = (descending: boolean): number[] =>
    sortRows(depths, [{ key: "param:depth", descending }], (row, key) => row.cells.get(key)).map(({ index }) => index);
  assert.equal(resultColumns(depths)[0]?.numeric, true);
  assert.deepEqual([sorted(false), sorted(true)], [[5, 2, 1, 4, 0, 3], [4, 1, 2, 5, 0, 3]]);
  assert.deepEqual(resultRows([result({ name: "NaN" }, {})])[0]?.cells.get("param:name"), "NaN");
});

test("the table as CSV has all digits, and texts with commas and quotation marks stay whole", () => {
  const found = resultRows([result({ text: 'a,"b"\nc', rate: 0.1234567890123, depth: null }, { loss: 1e-9 }, { recorded: "2026-01-02" })]);
  const three = resultColumns(found).filter(({ kind }) => kind !== "cost");
  assert.equal(csvOf(three, found), `id,recorded,text,rate,depth,loss\r\n${"ab".repeat(16)},2026-01-02,"a,""b""\nc",0.1234567890123,null,1e-9\r\n`);
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

test("the axes are those that tell rows apart, one for columns that are alike, and metrics are among many of them", () => {
  const wide = resultRows([1, 2, 3].map((value) =>
    result(
      { ...Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`p${index}`, value ** index])), twin: value },
      { loss: 1 / value, same: 5 },
    ),
  ));
  const all = possibleAxes(resultColumns(wide), wide);
  assert.equal(all.length, 30); // p1 to p29 and loss: neither p0, nor same, nor the seconds, nor twin, which is like p1
  assert.deepEqual(all[0]?.alike, ["twin"]);
  const usual = usualAxes(all).map(({ title }) => title);
  assert.deepEqual([usual.length, usual.at(-1)], [10, "loss"]);
  assert.deepEqual(chosenAxes(all, new Set(["param:p20"])).map(({ title }) => title), ["p20"]);
});

test("an axis that spans decades is logarithmic unless somebody chooses otherwise", () => {
  const found = resultRows([0.0001, 0.01, 1].map((rate) => result({ rate }, {})));
  const [log] = possibleAxes(resultColumns(found), found) as [Axis];
  const [linear] = possibleAxes(resultColumns(found), found, new Map([["param:rate", false]])) as [Axis];
  assert.deepEqual([placeOn(log, 0.01).toFixed(3), placeOn(linear, 0.01).toFixed(3)], ["0.500", "0.990"]);
  assert.deepEqual(wishOn(log, 0.25, 0.75), { kind: "range", least: 0.001, most: 0.1 });
  assert.deepEqual(partsOf(log, { kind: "range", least: -1, most: 0.01 }), [{ from: 0.5, to: 1 }]);
  const scores = resultRows(Array.from({ length: 50 }, (_, index) => result({ score: (index + 0.1) / 50 }, {})));
  assert.equal(possibleAxes(resultColumns(scores), scores)[0]?.log, false);
});

test("a brush between great numbers that are close to each other keeps them apart", () => {
  const found = resultRows([1000000, 1000004, 1000009].map((count) => result({ count }, {})));
  const [counts] = possibleAxes(resultColumns(found), found) as [Axis];
  assert.deepEqual(wantedRows(found, "", new Map([["param:count", wishOn(counts, 0.4, 0.7)]])).map(({ index }) => index), [1]);
  assert.deepEqual(axisMarks(counts).map(({ text }) => text), ["1000009", "1000004", "1000000"]);
});

test("arrow keys make the chosen part of an axis smaller, and with Shift larger", () => {
  const rates = axis("rate");
  const up = partAfter(rates, undefined, "ArrowUp", false) as [number, number];
  assert.deepEqual(up, [0, 0.95]);
  const wish = wishOn(rates, ...up);
  assert.deepEqual(partAfter(rates, wish, "ArrowUp", true)?.map((at) => at.toFixed(3)), ["0.000", "1.000"]);
  assert.deepEqual(partAfter(axis("kind"), undefined, "ArrowDown", false), [1, 1]);
  assert.equal(partAfter(rates, undefined, "x", false), null);
});

test("a long name has two lines, the last of which ends as the name does", () => {
  assert.deepEqual(titleLines("rate", 10), ["rate"]);
  assert.deepEqual(titleLines("train@forest.depth", 14), ["train@", "forest.depth"]);
  for (const letters of [4, 6, 9, 20, 40]) {
    const lines = titleLines("gradient_accumulation_steps", letters);
    assert.ok(lines.length <= 2 && lines.every((line) => line.length <= letters), `${letters}: ${lines}`);
    assert.ok("gradient_accumulation_steps".endsWith(lines.join("").replace("…", "")));
  }
});

test("the greatest number is at the top of its axis, and what is missing below it", () => {
  assert.deepEqual([0.9, 0.75, 0.6].map((value) => placeOn(axis("accuracy"), value).toFixed(6)), ["0.000000", "0.500000", "1.000000"]);
  assert.deepEqual([placeOn(axis("loss"), Number.NaN), placeOn(axis("kind"), "linear"), placeOn(axis("kind"), undefined)], [NONE, 1, NONE]);
  const three = [axis("rate"), axis("loss"), axis("accuracy")];
  const path = (row: number): string => pathOf(three, rows[row] as never, (index) => index * 10, (place) => place * 100);
  assert.equal(path(0), "M0.0 100.0L10.0 50.0L20.0 0.0");
  assert.equal(path(1), "M0.0 66.7L10.0 110.0L20.0 33.3");
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

test("the values of an axis are marked if they are few, else its ends; and its colours go from low to high", () => {
  assert.deepEqual(axisMarks(axis("rate")).map(({ text }) => text), ["0.4", "0.2", "0.1"]);
  assert.deepEqual(axisMarks(axis("loss")).map(({ text }) => text), ["3", "none"]);
  const many = resultRows(Array.from({ length: 30 }, (_, index) => result({ rate: 0.1 + index / 100 }, {})));
  const [rates] = possibleAxes(resultColumns(many), many) as [Axis];
  assert.deepEqual(axisMarks(rates).map(({ text }) => text), ["0.39", "0.318", "0.245", "0.172", "0.1"]);
  assert.deepEqual(axisMarks(axis("kind")).map(({ text }) => text), ["forest", "linear"]);
  assert.notEqual(colourAt(0), colourAt(1));
});
