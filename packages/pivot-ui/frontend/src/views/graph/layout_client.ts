// Asks for layouts, each once: in a worker, or in the page where none can start.
import { layOut, type Layout, type LayoutQuestion } from "./layout.ts";

const KEPT = 8;
const kept = new Map<string, Promise<Layout>>();
const waiting = new Map<number, { resolve: (layout: Layout) => void; question: LayoutQuestion }>();
let worker: Worker | null | undefined;
let count = 0;

/** The layout of a graph; the same one for an equal question. */
export function layoutOf(question: LayoutQuestion): Promise<Layout> {
  const key = JSON.stringify(question);
  const known = kept.get(key);
  if (known) {
    kept.delete(key);
    kept.set(key, known); // the oldest goes first
    return known;
  }
  const found = compute(question);
  kept.set(key, found);
  for (const old of kept.keys()) if (kept.size > KEPT) kept.delete(old);
  return found;
}

function compute(question: LayoutQuestion): Promise<Layout> {
  const at = started();
  if (at === null) return Promise.resolve().then(() => layOut(question));
  count += 1;
  const number = count;
  return new Promise((resolve) => {
    waiting.set(number, { resolve, question });
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
    waiting.get(event.data.number)?.resolve(event.data.layout);
    waiting.delete(event.data.number);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    worker = null;
    for (const { resolve, question } of waiting.values()) resolve(layOut(question));
    waiting.clear();
  };
  return worker;
}
