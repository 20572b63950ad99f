import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ask } from "../src/api/client.ts";
import { version } from "../src/api/live.ts";
import { graph, keepUp, liveStates, status } from "../src/api/shared.ts";

interface Question {
  name: string;
  answer: (value: unknown) => void;
}

/** What the page has asked, and nobody has answered. */
let open: Question[] = [];

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const stage = (address: string): object => ({ address, name: address, pipeline: "p", family: null, upstream: [], after: [] });

/** Answer all three questions with a graph of one stage in a state. */
async function answered(state: string, address = "p.a"): Promise<void> {
  const values: Record<string, unknown> = {
    project: { name: "p" },
    graph: { stages: [stage(address)], artifacts: [], broken: [] },
    status: { stages: [{ address, state }], problem: null },
  };
  for (const { name, answer } of open.splice(0)) answer(values[name]);
  await settled();
}

beforeEach(() => {
  open = [];
  globalThis.window = {} as Window & typeof globalThis;
  globalThis.addEventListener = () => undefined;
  globalThis.fetch = (address) =>
    new Promise((resolve) => open.push({ name: String(address).replace("api/", ""), answer: (value) => resolve(Response.json(value)) }));
});

test("changes while answers are on the way are asked for once, after these", async () => {
  keepUp();
  const names = (): string[] => open.map(({ name }) => name).sort();
  assert.deepEqual(names(), ["graph", "project", "status"]);
  version.set(1);
  version.set(2);
  assert.equal(open.length, 3, "an older answer could come last");
  await answered("stale");
  assert.deepEqual(names(), ["graph", "project", "status"]);
  await answered("cached");
  assert.deepEqual([open.length, liveStates.value.get("p.a")], [0, "cached"]);

  const [same, states] = [graph.value, liveStates.value];
  version.set(3);
  await answered("cached");
  assert.equal(graph.value, same, "an equal graph is laid out only once");
  assert.equal(liveStates.value, states);
  version.set(4);
  await answered("cached", "p.b");
  assert.deepEqual(graph.value?.stages.map(({ address }) => address), ["p.b"]);
  assert.deepEqual(status.value?.stages.map(({ address }) => address), ["p.b"]);
});

test("an answer of an exported page is loaded once for all who ask for it", async () => {
  const loaded: string[] = [];
  window.pivotExport = { files: { "log?address=p.a": "data/1.js" } };
  globalThis.document = { createElement: () => ({}), head: { append: (script: { src: string }) => loaded.push(script.src) } } as unknown as Document;
  const answers = Promise.all([ask("log", { address: "p.a" }), ask("log", { address: "p.a" })]);
  await settled();
  window.pivotData?.("log?address=p.a", { text: "hello" });
  assert.deepEqual([await answers, await ask("log", { address: "p.a" }), loaded], [[{ text: "hello" }, { text: "hello" }], { text: "hello" }, ["data/1.js"]]);
});
