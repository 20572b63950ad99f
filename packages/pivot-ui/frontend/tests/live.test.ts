import assert from "node:assert/strict";
import { test } from "node:test";

class Source extends EventTarget {
  static readonly CLOSED = 2;
  static last: Source;
  readyState = 1;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;

  constructor() {
    super();
    Source.last = this;
  }

  say(name: string, value: unknown): void {
    this.dispatchEvent(Object.assign(new Event(name), { data: JSON.stringify(value) }));
  }
}

test("a command that is told again, as after a sleep of the computer, is no news", async () => {
  Object.assign(globalThis, { window: {}, EventSource: Source });
  const { command, listen } = await import("../src/api/live.ts");
  let news = 0;
  command.subscribe(() => (news += 1));
  listen();
  const ended = { state: "ended", words: ["repro"], exit_code: 0, lines: ["Done"] };
  Source.last.say("command", ended);
  Source.last.onopen?.();
  Source.last.say("command", ended);
  assert.equal(news, 1);
  Source.last.say("command", { ...ended, state: "running" });
  assert.equal(news, 2);
});
