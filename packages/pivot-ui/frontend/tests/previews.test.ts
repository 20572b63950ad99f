import assert from "node:assert/strict";
import { test } from "node:test";
import { binaryText, hexRows } from "../src/views/preview/hex.ts";
import { everyBranch, openAtFirst, parentOf, ROOT, rowsOf } from "../src/views/preview/json_rows.ts";
import { crumbs, isNumeric, pageByKey, rangeText } from "../src/views/preview/pages.ts";

const VALUE = { scores: { auc: 0.5, names: ["a", "b"] }, empty: [], done: null };

test("a tree shows the parts of open values, and how many the others have", () => {
  const shown = (open: Set<string>): string[] => rowsOf(VALUE, open).map((row) => `${" ".repeat(row.depth)}${row.name ?? ""}=${row.text}`);
  assert.deepEqual(shown(new Set()), ["={3 keys}"]);
  assert.deepEqual(shown(new Set([ROOT, '["scores"]'])), ["={3 keys}", " scores={2 keys}", "  auc=0.5", "  names=[2 items]", " empty=[]", " done=null"]);
});

test("an empty value cannot be opened", () => {
  assert.deepEqual(rowsOf([[], {}], new Set([ROOT])).map((row) => row.branch), [true, false, false]);
});

test("keys with special signs are rows of their own", () => {
  const ids = rowsOf({ 'a"]': { b: 1 }, a: { "": { c: 2 } }, "[]": 3 }, everyBranch({ 'a"]': { b: 1 }, a: { "": { c: 2 } } })).map((row) => row.id);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(ids.length, 7);
  assert.equal(parentOf('["a","",0]'), '["a",""]');
  assert.equal(parentOf(ROOT), null);
});

test("at first, as many levels are open as fit", () => {
  const wide = Array.from({ length: 100 }, (_, at) => ({ at }));
  assert.deepEqual([...openAtFirst(wide)], [ROOT]);
  assert.equal(rowsOf(VALUE, openAtFirst(VALUE)).length, 8);
  assert.equal(rowsOf({ few: 1, wide }, openAtFirst({ few: 1, wide })).length, 3);
});

test("the range of a page says what is known", () => {
  const page = { offset: 50, count: 50, total: 1234, more: true };
  assert.equal(rangeText(page, "row"), "rows 51–100 of 1 234");
  assert.equal(rangeText({ ...page, total: null }, "row"), "rows 51–100");
  assert.equal(rangeText({ offset: 0, count: 1, total: 1, more: false }, "row"), "1 row");
  assert.equal(rangeText({ offset: 0, count: 0, total: 0, more: false }, "entry"), "no entries");
});

test("keys turn pages only where there are some", () => {
  const page = { offset: 50, more: true, size: 50 };
  assert.deepEqual([pageByKey("]", page), pageByKey("[", page), pageByKey("x", page)], [100, 0, null]);
  assert.deepEqual([pageByKey("]", { ...page, more: false }), pageByKey("[", { ...page, offset: 0 })], [null, null]);
});

test("the types of all readers say which columns are numbers", () => {
  for (const type of ["BIGINT", "int64", "UInt8", "DOUBLE", "double", "DECIMAL(18,3)", "float32", "Int64", "HUGEINT", "number"]) assert.ok(isNumeric(type), type);
  for (const type of ["VARCHAR", "string", "object", "BOOLEAN", "timestamp[ns]", "list<int64>", "interval"]) assert.ok(!isNumeric(type), type);
});

test("bytes are in rows of sixteen, with their letters", () => {
  assert.deepEqual(hexRows("50415231".repeat(5)), [
    "0000  50 41 52 31 50 41 52 31 50 41 52 31 50 41 52 31  PAR1PAR1PAR1PAR1",
    `0010  50 41 52 31${" ".repeat(38)}PAR1`,
  ]);
  assert.deepEqual(hexRows(""), []);
});

test("each part of a path leads to what it contains", () => {
  assert.deepEqual(crumbs("a/b c/d"), [
    { name: "a", inside: "a" },
    { name: "b c", inside: "a/b c" },
    { name: "d", inside: "a/b c/d" },
  ]);
});

test("a file that is shown as bytes says why", () => {
  assert.match(binaryText("fitted/forest.joblib"), /never loaded/);
  assert.match(binaryText("rows.CSV.GZ"), /compressed/);
  assert.match(binaryText("x.npy"), /arrays/);
  assert.equal(binaryText("gz"), "This file has no form that can be shown.");
});
