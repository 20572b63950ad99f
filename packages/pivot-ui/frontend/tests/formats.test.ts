import assert from "node:assert/strict";
import { test } from "node:test";
import { keyOf } from "../src/api/client.ts";
import { counted, moment, number, seconds, size } from "../src/parts/formats.ts";
import { parseRoute, place } from "../src/routes.ts";

test("durations have the precision that people read", () => {
  assert.deepEqual([0.0421, 3.21, 42.04, 245, 7380].map(seconds), ["0.04s", "3.21s", "42.0s", "4m 05s", "2h 03m"]);
});

test("sizes never show a thousand of a unit", () => {
  assert.deepEqual([0, 12, 999, 1000, 999_999, 1.5e9].map(size), ["0 B", "12 B", "999 B", "1.0 kB", "1.0 MB", "1.5 GB"]);
});

test("numbers are short, and whole ones exact", () => {
  const shown = (...values: number[]): string[] => values.map((value) => number(value));
  assert.deepEqual(shown(76, 0.7894736842105263, -1e-9, 123456789), ["76", "0.789474", "-1e-9", "123456789"]);
  assert.deepEqual(shown(0, -0.0001, 0.0000344712, 1234567.89, 2 ** 60), ["0", "-0.0001", "3.44712e-5", "1234568", "1.15292e18"]);
  assert.deepEqual(shown(Number.NaN, -Infinity), ["NaN", "-Infinity"]);
});

test("a moment of another day has its date", () => {
  assert.equal(moment("2026-05-01T14:03:22", new Date("2026-06-01T00:00:00")), "2026-05-01 14:03");
  assert.equal(moment("2026-05-01T14:03:22", new Date("2026-05-01T20:00:00")), "14:03:22");
});

test("a place and its route are the same for every name", () => {
  for (const name of ["a", "a/b", "a?b=c", "ä ö", "#", "%", "<img>"])
    assert.deepEqual(parseRoute(place("stage", [name, "log"], { side: name })), { view: "stage", parts: [name, "log"], query: { side: name } });
});

test("the key of a question does not depend on the order of its parameters", () => {
  assert.equal(keyOf("preview", { path: "a b", offset: 0, side: null }), "preview?offset=0&path=a%20b");
  assert.equal(keyOf("status"), "status");
});

test("nouns are in the plural unless there is one", () => {
  assert.deepEqual([0, 1, 2].map((count) => counted(count, "stage")), ["0 stages", "1 stage", "2 stages"]);
});
