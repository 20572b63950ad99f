import assert from "node:assert/strict";
import { test } from "node:test";
import type { Run, RunStage } from "../src/api/types.ts";
import { countsOf, elapsed, progressOf, toCompare, wantedRuns } from "../src/views/runs/progress.ts";
import { drawn, inLanes, lanesOf, moved, shortCombination, ticks, tickText, zoomed } from "../src/views/runs/timeline.ts";

const stage = (name: string, began: number | null, seconds: number | null, more: Partial<RunStage> = {}): RunStage => ({
  name, address: `p.${name}`, combination: null, state: "ran", began, seconds, reasons: [], changes: [], cpu: null, memory: null, problem: "", undeclared: [], worker: null, ...more,
});
const run = (stages: RunStage[], more: Partial<Run> = {}): Run => ({
  run: 1, began: "2026-05-01T10:00:00+00:00", command: "pivot repro", state: "done", problem: "", seconds: 10, counts: {}, stages, phases: [], ...more,
});

/** Numbers that look random and are the same each time. */
function* numbers(): Generator<number> {
  for (let state = 7; ; state = (state * 48271) % 2147483647) yield state / 2147483647;
}

test("bars of one lane never overlap, and no lane is opened while another one is free", () => {
  const random = numbers();
  const next = (): number => random.next().value as number;
  const stages = Array.from({ length: 300 }, (_, index) => stage(`s${index}`, next() * 50, next() * 5));
  const { stages: lanes } = lanesOf(run(stages), 60);
  for (const bar of lanes.bars) {
    for (const other of lanes.bars)
      if (bar !== other && bar.lane === other.lane) assert.ok(bar.end <= other.start || other.end <= bar.start);
    const busy = lanes.bars.filter((other) => other.start <= bar.start && bar.start < other.end);
    assert.ok(bar.lane < busy.length);
  }
});

test("a stage that works lasts until now, and one that did nothing has no bar", () => {
  const { stages, whole } = lanesOf(run([stage("works", 2, null, { state: "running" }), stage("cached", 0, null, { state: "cached" })], { seconds: 3 }), 8);
  assert.deepEqual(stages.bars.map(({ label, start, end }) => [label, start, end]), [["works", 2, 8]]);
  assert.equal(whole, 8);
});

test("the phases are bars of their own, with the libraries that took longest", () => {
  const phases = [{ phase: "importing", of: "pipeline.py", began: 1, seconds: 3, libraries: { numpy: 0.5, pandas: 2 } }];
  const { phases: lanes } = lanesOf(run([], { phases }), 10);
  assert.deepEqual(lanes.bars.map(({ label, facts }) => [label, facts]), [["importing pipeline.py", ["pandas 2.0s, numpy 0.5s"]]]);
});

test("the marks of the axis are whole steps with room for their texts", () => {
  for (const [from, to] of [[0, 0.004], [0, 3], [100, 130], [0, 400], [0, 90_000], [0, 3_000_000]] as const) {
    const marks = ticks({ from, to }, 900);
    assert.ok(marks.length >= 1 && marks.length <= 11, `${marks.length} marks`);
    assert.ok(marks.every((mark) => mark >= from && mark <= to));
  }
  assert.deepEqual([0, 0.25, 1.5, 120, 150, 3900].map(tickText), ["0", "250ms", "1.5s", "2m", "2m 30s", "1h 05m"]);
});

test("many bars in one pixel are drawn once, and all of them where there is room", () => {
  const lanes = inLanes(Array.from({ length: 5000 }, (_, index) => ({
    key: `${index}`, kind: "stage" as const, label: "s", state: "ran", address: "p.s", start: index / 100, end: (index + 0.9) / 100, facts: [],
  })));
  assert.ok(drawn(lanes, { from: 0, to: 50 }, 500).length <= 500);
  assert.equal(drawn(lanes, { from: 1.001, to: 1.055 }, 500).length, 6);
});

test("zooming keeps the moment where it was, and stays in the run", () => {
  const near = zoomed({ from: 0, to: 100 }, 0.5, 80, 100);
  assert.deepEqual(near, { from: 40, to: 90 });
  assert.deepEqual(zoomed(near, 10, 80, 100), { from: 0, to: 100 });
  assert.deepEqual(moved(near, 1, 100), { from: 50, to: 100 });
  assert.deepEqual(moved(near, -1, 100), { from: 0, to: 50 });
});

test("the end of a run is known where it is about the whole project", () => {
  const stages = [stage("a", 0, 1), stage("b", 1, null, { state: "running" })];
  assert.deepEqual(progressOf(run(stages), 5).total, 5);
  assert.equal(progressOf(run(stages), 5).done, 1);
  assert.equal(progressOf(run(stages, { command: "pivot repro b" }), 5).total, null);
  assert.equal(progressOf(run(stages, { command: "pivot repro --keep-going" }), null).total, null);
});

test("the time of a run that works is that since it began", () => {
  const now = Date.parse("2026-05-01T10:01:30Z");
  assert.equal(elapsed(run([], { state: "running", seconds: 3 }), now), 90);
  assert.equal(elapsed(run([]), now), 10);
});

test("counts begin with the most serious state, and runs are compared from the older to the newer", () => {
  assert.deepEqual(countsOf(run([], { counts: { cached: 2, ran: 1, failed: 3, odd: 1 } })).map(([state]) => state), ["failed", "ran", "cached", "odd"]);
  assert.deepEqual(toCompare(new Set([9, 4])), [4, 9]);
  assert.equal(toCompare(new Set([9])), null);
});

test("runs are found by their states and by words of their commands and errors", () => {
  const runs = [run([], { run: 3, state: "failed", problem: "train: no such file" }), run([], { run: 2, command: "pivot run train" }), run([], { run: 1 })];
  const found = (search: string, state = ""): number[] => wantedRuns(runs, search, state).map((each) => each.run);
  assert.deepEqual([found("train"), found("TRAIN no"), found("train", "failed"), found("x"), found("")], [[3, 2], [3], [3], [], [3, 2, 1]]);
});

test("the parameters of a combination are named without their stages where that is clear", () => {
  assert.equal(shortCombination("train@a.rate=0.1, split.seed=2"), "rate=0.1, seed=2");
  assert.equal(shortCombination("train@a.rate=0.1, train@b.rate=2"), "train@a.rate=0.1, train@b.rate=2");
  assert.equal(shortCombination("train.path=a/b.c=d"), "path=a/b.c=d");
});
