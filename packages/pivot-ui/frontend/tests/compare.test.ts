import assert from "node:assert/strict";
import { test } from "node:test";
import type { OutChange, Revisions, Run, ValueChange } from "../src/api/types.ts";
import { changeOf, outBecame, sideTexts, tally, valueRows } from "../src/views/compare/differences.ts";
import { chosenSides, findSides, sideOptions, sideTitle } from "../src/views/compare/side_options.ts";

const value = (more: Partial<ValueChange>): ValueChange => ({ name: "x", changed: true, ...more });
const commit = "0123456789abcdef0123456789abcdef01234567";
const revisions: Revisions = {
  workspace: true, branches: ["main"], tags: ["v1"], commits: [{ commit, short: "01234567", subject: "Use a <b>larger</b> share", time: "2026-05-01T10:00:00" }],
};
const nothing: Revisions = { workspace: true, branches: [], tags: [], commits: [] };
const run = (number: number): Run => ({ run: number, began: "2026-05-01T10:00:00", command: "pivot repro", state: "done", problem: "", seconds: 1, counts: {}, stages: [] });

test("a value is changed, added or removed; null is a value", () => {
  const values = [value({ old: 1, new: 2 }), value({ new: null }), value({ old: null }), value({ old: 1, new: 1, changed: false })];
  const groups = [{ owner: "train", values }];
  assert.deepEqual(valueRows(groups, true).map(({ became }) => became), ["changed", "added", "removed", "same"]);
  assert.equal(valueRows(groups, false).length, 3);
  assert.deepEqual(sideTexts(value({ old: null, new: { a: 1 } })), ["null", '{"a":1}']);
  assert.deepEqual(sideTexts(value({ new: true })), ["", "true"]);
});

test("numbers that differ are shown with as many digits as tell them apart", () => {
  assert.deepEqual(sideTexts(value({ old: 0.12345678901, new: 0.12345678902 })), ["0.12345678901", "0.12345678902"]);
  assert.deepEqual(sideTexts(value({ old: 0.1, new: 0.30000000000000004 })), ["0.1", "0.3"]);
  assert.deepEqual(sideTexts(value({ old: 1e-9, new: 2e17 })), ["1e-9", "2e17"]);
});

test("a difference has a sign and a word, and its part where that has a meaning", () => {
  assert.deepEqual(changeOf(value({ old: 0.5, new: 0.6, change: 0.1 })), { sign: "▲", text: "+0.1 (+20.0%)", word: "higher" });
  assert.deepEqual(changeOf(value({ old: -2, new: -3, change: -1 })), { sign: "▼", text: "−1 (−50.0%)", word: "lower" });
  assert.equal(changeOf(value({ old: 0, new: 3, change: 3 }))?.text, "+3");
  assert.equal(changeOf(value({ old: 1, new: 51, change: 50 }))?.text, "+50 (+50×)");
  for (const change of [undefined, 0, "nan", NaN]) assert.equal(changeOf(value({ old: 1, new: 1, change })), null);
});

test("an out is the same, changed, added or removed", () => {
  const side = { digest: "ab", size: 1 };
  const out = (left: OutChange["left"], right: OutChange["right"], same = false): OutChange => ({ path: "p", stage: "s", left, right, same });
  const found = [out(side, side, true), out(side, side), out(null, side), out(side, null)].map(outBecame);
  assert.deepEqual(found, ["same", "changed", "added", "removed"]);
  assert.equal(tally(found), "1 changed, 1 added, 1 removed, 1 same");
});

test("sides are found by words of their names, subjects and kinds", () => {
  const options = sideOptions(revisions, [run(7)]);
  const found = (search: string): string[] => findSides(options, search).map((option) => option.value);
  assert.deepEqual(found("larger SHARE"), [commit]);
  assert.deepEqual(found("v1"), ["v1"]);
  assert.deepEqual(found("run 7"), ["run:7"]);
  assert.equal(found("").length, options.length);
  assert.deepEqual(["run:7", commit, "main~3"].map((side) => sideTitle(sideOptions(null, []), side)), ["run 7", "01234567", "main~3"]);
});

test("without a choice, the last commit and the workspace are compared, and the last runs where there is no git", () => {
  assert.deepEqual(chosenSides({}, revisions, [run(2), run(1)]), { left: "HEAD", right: "workspace" });
  assert.deepEqual(chosenSides({}, nothing, [run(2), run(1)]), { left: "run:1", right: "run:2" });
  assert.deepEqual(chosenSides({ left: "v1" }, revisions, []), { left: "v1", right: "workspace" });
});

test("the only run is compared with the workspace, no sweep is offered, and without both there is nothing to compare", () => {
  const sweep: Run = { ...run(3), stages: [{ combination: "rate=1" } as Run["stages"][number]] };
  assert.deepEqual(chosenSides({}, nothing, [sweep, run(2), run(1)]), { left: "run:1", right: "run:2" });
  assert.deepEqual(chosenSides({}, nothing, [sweep, run(2)]), { left: "run:2", right: "workspace" });
  assert.equal(chosenSides({}, nothing, [sweep]), null);
  assert.deepEqual(chosenSides({ left: "run:9", right: "workspace" }, nothing, []), { left: "run:9", right: "workspace" });
  assert.deepEqual(sideOptions(null, [sweep, run(2)]).map((option) => option.value), ["workspace", "run:2"]);
});
