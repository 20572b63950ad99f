import assert from "node:assert/strict";
import { test } from "node:test";
import { diffLines, diffWords, type DiffRow, firstLine, folded, type Piece } from "../src/parts/diff_lines.ts";

const textOf = (pieces: Piece[] | undefined): string | null => (pieces ? pieces.map((piece) => (piece.changed ? `[${piece.text}]` : piece.text)).join("") : null);
const shown = (rows: DiffRow[]): (string | null)[][] => rows.map((row) => [row.same ? "=" : "!", textOf(row.left?.pieces), textOf(row.right?.pieces)]);
const bare = (rows: DiffRow[], side: "left" | "right"): string =>
  rows.flatMap((row) => (row[side] ? [row[side].pieces.map((piece) => piece.text).join("")] : [])).join("\n");

test("an edited line stands beside its old version, with its words marked", () => {
  assert.deepEqual(shown(diffLines("a\nx = old / 2\nb\n", "a\nx = new / 2\nb\n")), [
    ["=", "a", "a"],
    ["!", "x = [old] / 2", "x = [new] / 2"],
    ["=", "b", "b"],
  ]);
});

test("lines that were added or removed have nothing beside them", () => {
  assert.deepEqual(shown(diffLines("a\nb", "a\nnew\nb")), [["=", "a", "a"], ["!", null, "new"], ["=", "b", "b"]]);
  assert.deepEqual(shown(diffLines("a\nold\nb", "a\nb")), [["=", "a", "a"], ["!", "old", null], ["=", "b", "b"]]);
  assert.deepEqual(shown(diffLines("", "a")), [["!", null, "a"]]);
});

test("lines that have hardly anything in common are marked as a whole", () => {
  assert.deepEqual(diffWords("return table", "raise ValueError(name)").map(textOf), ["return table", "raise ValueError(name)"]);
});

test("both sides keep every line, in order", () => {
  const words = ["a", "b", "", "  c", "d = 1"];
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
  for (let round = 0; round < 300; round++) {
    const text = (): string => Array.from({ length: 1 + random(9) }, () => words[random(words.length)]).join("\n") + "\nend";
    const [left, right] = [text(), text()];
    const rows = diffLines(left, right);
    assert.equal(bare(rows, "left"), left);
    assert.equal(bare(rows, "right"), right);
    for (const row of rows) if (row.same) assert.equal(textOf(row.left?.pieces), textOf(row.right?.pieces));
  }
});

test("texts of many lines without anything in common do not take long", () => {
  const many = (word: string): string => Array.from({ length: 20_000 }, (_, at) => `${word} ${at}`).join("\n");
  assert.equal(diffLines(many("a"), many("b")).length, 20_000);
});

test("long parts that are the same are folded, short ones are not", () => {
  const lines = Array.from({ length: 30 }, (_, at) => `line ${at}`);
  const edited = lines.map((line, at) => (at === 15 ? "edited" : line));
  const folds = folded(diffLines(lines.join("\n"), edited.join("\n")));
  assert.deepEqual(folds.map((fold) => ("hidden" in fold ? -fold.hidden.length : fold.rows.length)), [-12, 7, -11]);
  assert.deepEqual(folded(diffLines("a\nb\nc\nd\ne", "a\nb\nc\nd\nE")).map((fold) => "hidden" in fold), [false, false]);
});

test("a text whose decorators stand above its place begins with them", () => {
  assert.equal(firstLine("@pipeline.register\n@other(\n  1)\ndef f():\n", 33), 30);
  assert.equal(firstLine("def f():\n    @x\n", 33), 33);
  assert.equal(firstLine("@x", null), null);
});
