// Asks for layouts, each once: in a worker, or in the page where none can start.
import { layOut, type Layout, type LayoutQuestion } from "./layout.ts";

const KEPT = 8;
const kept = new Map<string, Promise<Layout>>();
const waiting = new Map<number, { settle: (layout: Layout | Promise<Layout>) => void; question: LayoutQuestion }>();
let worker: Worker | null | undefined;
let count = 0;

/** The layout of a graph; the same one for an equal question. */
export function layoutOf(question: LayoutQuestion): Promise<Layout> {
  const key = JSON.stringify(question);
  const found = kept.get(key) ?? compute(question);
  kept.delete(key);
  kept.set(key, found); // the oldest goes first
  for (const old of kept.keys()) if (kept.size > KEPT) kept.delete(old);
  return found;
}

const here = async (question: LayoutQuestion): Promise<Layout> => layOut(question);

function compute(question: LayoutQuestion): Promise<Layout> {
  const at = started();
  if (at === null) return here(question);
  count += 1;
  const number = count;
  return new Promise((settle) => {
    waiting.set(number, { settle, question });
    at.postMessage({ number, question });
  });
}

function started(): Worker | null {
  if (worker !== undefined) return worker;
  try {
    worker = new Worker("layout_worker.js");
  } catch {
    worker = null; // in a page that is opened as a file
    return worker;
  }
  worker.onmessage = (event: MessageEvent<{ number: number; layout: Layout }>) => {
    waiting.get(event.data.number)?.settle(event.data.layout);
    waiting.delete(event.data.number);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    worker?.terminate();
    worker = null;
    for (const { settle, question } of waiting.values()) settle(here(question));
    waiting.clear();
  };
  return worker;
}
