import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRoute, titleOf } from "../src/routes.ts";

test("the title of the window names what is open, and the project", () => {
  const titleAt = (hash: string): string => titleOf(parseRoute(hash), "churn");
  assert.equal(titleAt(""), "Graph · churn");
  assert.equal(titleAt("#/compare?left=HEAD"), "Compare · churn");
  assert.equal(titleAt("#/stage/churn.train%40forest/log"), "churn.train@forest · churn");
  assert.equal(titleAt("#/artifact?path=data%2Fraw.csv"), "data/raw.csv · churn");
  assert.equal(titleAt("#/runs"), "Runs · churn");
  assert.equal(titleAt("#/bogus"), "No such view · churn");
  assert.equal(titleAt("#/runs/12"), "Run 12 · churn");
});
