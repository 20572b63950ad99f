import assert from "node:assert/strict";
import { test } from "node:test";
import { type Stage, lenses } from "../lenses";

function stage(address: string, line: number | null, summary = "cached", file: string | null = "pipeline.py"): Stage {
  return { address, file, line, status: summary.startsWith("stale") ? "stale" : "cached", summary };
}

test("each stage of the document has its state, a run and the graph above its line", () => {
  const stages = [
    stage("p.clean", 3),
    stage("p.train", 9, "stale: helper normalize changed"),
    stage("p.other", 3, "cached", "other/pivot.yaml"),
  ];

  assert.deepEqual(lenses(stages, "", "pipeline.py"), [
    { line: 3, title: "cached", command: "pivot.explain", addresses: ["p.clean"] },
    { line: 3, title: "Run", command: "pivot.run", addresses: ["p.clean"] },
    { line: 3, title: "Show graph", command: "pivot.graph", addresses: ["p.clean"] },
    { line: 9, title: "stale: helper normalize changed", command: "pivot.explain", addresses: ["p.train"] },
    { line: 9, title: "Run", command: "pivot.run", addresses: ["p.train"] },
    { line: 9, title: "Show graph", command: "pivot.graph", addresses: ["p.train"] },
  ]);
});

test("a family on one line has one state, and runs together", () => {
  const family = (second: string) => [stage("p.fit@a", 5), stage("p.fit@b", 5, second), stage("p.fit@c", 5)];
  const first = (second: string) => lenses(family(second), "", "pipeline.py")[0];

  assert.equal(first("cached")?.title, "3 stages: cached");
  assert.equal(first("stale: rate 0.1 → 0.2")?.title, "1 of 3 stages stale: rate 0.1 → 0.2");
  assert.deepEqual(lenses(family("cached"), "", "pipeline.py")[1]?.addresses, ["p.fit@a", "p.fit@b", "p.fit@c"]);
});

test("a stage whose place is not known has no line", () => {
  assert.deepEqual(lenses([stage("p.made", null, "cached", null)], "", "pipeline.py"), []);
});

test("an error is on the first line of files with stages, and of pipeline files", () => {
  const stages = [stage("p.clean", 3, "cached", "src/steps.py")];
  const problem = "note: slow\nerror: pipeline.py:4: no\nhint: mend it\n";
  const line = [{ line: 1, title: "pivot: pipeline.py:4: no", command: "pivot.output", addresses: [] }];

  assert.deepEqual(lenses(stages, problem, "src/steps.py"), line);
  assert.deepEqual(lenses(stages, problem, "parts/pipeline.py"), line);
  assert.deepEqual(lenses(stages, problem, "pivot.yaml"), line);
  assert.deepEqual(lenses(stages, problem, "src/my_pipeline.py"), []);
  assert.equal(lenses([], "spawn EACCES\n", "pipeline.py")[0]?.title, "pivot: spawn EACCES");
});
