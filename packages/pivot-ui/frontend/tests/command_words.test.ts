import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "../src/api/types.ts";
import { outcomeOf, typed } from "../src/parts/command_words.ts";

const ended = (exit_code: number | null): Command => ({ state: "ended", words: ["repro", "--all"], exit_code, lines: [] });

test("a command is done, failed, or stopped as by Ctrl-C", () => {
  assert.equal(outcomeOf({ ...ended(null), state: "running" }), "running");
  assert.deepEqual([0, 1, 2, 130, -9].map((code) => outcomeOf(ended(code))), ["done", "failed", "failed", "stopped", "failed"]);
});

test("a command is written as people type it", () => {
  assert.equal(typed(ended(0)), "pivot repro --all");
  assert.equal(typed({ ...ended(0), words: ["run", "a"] }), "pivot run a");
});
