import assert from "node:assert/strict";
import { test } from "node:test";
import type { Run } from "../src/api/types.ts";
import { editSaid, runSaid } from "../src/frame/announced.ts";
import { LEAST, MOST, partByKey, USUAL } from "../src/frame/panel_width.ts";

const run = (number: number, state: string, stages: string[] = []): Run =>
  ({ run: number, state, command: "pivot repro", stages: stages.map((each) => ({ state: each })) }) as unknown as Run;

test("a run is said when it begins and when it ends, and nothing of what is between", () => {
  assert.equal(runSaid(null, run(3, "running")), "Run 3 has begun: pivot repro");
  assert.equal(runSaid(run(2, "done"), run(3, "running")), "Run 3 has begun: pivot repro");
  assert.equal(runSaid(run(3, "running"), run(3, "running", ["running"])), "");
  assert.equal(runSaid(run(3, "running"), run(3, "failed", ["ran", "failed"])), "Run 3 has ended: failed, 1 stage failed");
  assert.equal(runSaid(run(3, "running"), run(4, "done")), "Run 4 has ended: done");
});

test("a run that ended before the page was opened is not said, nor one that is told again", () => {
  assert.equal(runSaid(null, null), "");
  assert.equal(runSaid(null, run(3, "done")), "");
  assert.equal(runSaid(run(3, "done"), run(3, "done")), "");
});

test("stages are said that an edit makes stale, and none that a run changes", () => {
  const all = (state: "stale" | "cached", ...names: string[]) => names.map((address) => ({ address, state }));
  assert.equal(editSaid(all("cached", "a", "b"), all("stale", "a", "b")), "a, b now stale");
  assert.equal(editSaid(all("cached", "a", "b", "c", "d"), all("stale", "a", "b", "c", "d")), "4 stages now stale");
  assert.equal(editSaid(all("stale", "a"), all("stale", "a")), "");
  assert.equal(editSaid(all("stale", "a"), all("cached", "a")), "");
  assert.equal(editSaid([], all("stale", "a")), "");
});

test("keys move the line before the panel, within its limits", () => {
  assert.ok((partByKey("ArrowLeft", 0.5) ?? 0) > 0.5);
  assert.ok((partByKey("ArrowRight", 0.5) ?? 1) < 0.5);
  assert.equal(partByKey("ArrowLeft", MOST), MOST);
  assert.equal(partByKey("ArrowRight", LEAST), LEAST);
  assert.equal(partByKey("Home", 0.4), MOST);
  assert.equal(partByKey("Enter", 0.4), USUAL);
  assert.equal(partByKey("x", 0.4), null);
});
