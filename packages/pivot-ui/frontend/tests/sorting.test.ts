import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cell, nextSort, rowWindow, type Sort, sortRows } from "../src/parts/sorting.ts";

const order = (cells: Cell[], descending = false): readonly Cell[] => sortRows(cells, [{ key: "x", descending }], (cell) => cell);

test("numbers are in the order of their values, before texts, and what is missing is last either way", () => {
  assert.deepEqual(order([null, "b10", 10, "b9", 9, undefined, -1]), [-1, 9, 10, "b9", "b10", null, undefined]);
  assert.deepEqual(order([null, 1, NaN, 2], true), [2, 1, null, NaN]);
});

test("rows are sorted by several columns, and those that are alike stay in order", () => {
  const rows = [["b", 1], ["a", 2], ["b", 0], ["a", 2]] as const;
  const sort: Sort = [{ key: "0", descending: false }, { key: "1", descending: true }];
  assert.deepEqual(sortRows(rows, sort, (row, key) => row[Number(key)]), [rows[1], rows[3], rows[0], rows[2]]);
});

test("a click sorts up, then down, then not at all; with more, beside the others", () => {
  const up = nextSort([], "x", false);
  const down = nextSort(up, "x", false);
  assert.deepEqual([up, down, nextSort(down, "x", false)], [[{ key: "x", descending: false }], [{ key: "x", descending: true }], []]);
  const both = nextSort(up, "y", true);
  assert.deepEqual(both.map(({ key }) => key), ["x", "y"]);
  assert.deepEqual(nextSort(both, "x", true).map(({ descending }) => descending), [true, false]);
  assert.deepEqual(nextSort(both, "y", false).map(({ key, descending }) => [key, descending]), [["y", true]]);
});

test("of a long table, every row can be scrolled to, and few are drawn at once", () => {
  const seen = new Set<number>();
  for (let top = 0; top <= 1000 * 33; top += 500) {
    const { first, end } = rowWindow(1000, top, 600, 33);
    assert.ok(end - first <= 40);
    for (let row = first; row < end; row++) seen.add(row);
  }
  assert.equal(seen.size, 1000);
  assert.deepEqual(rowWindow(0, 0, 600, 33), { first: 0, end: 0 });
});
