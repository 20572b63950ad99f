import assert from "node:assert/strict";
import { test } from "node:test";
import { LogText, MOST_LETTERS, MOST_LINES, splitBy, textOf } from "../src/views/stage/ansi.ts";
import { byKind } from "../src/views/stage/grouping.ts";
import { scaleFor, spread } from "../src/views/stage/history_chart.ts";
import { kindOf, nameOf, shortValue } from "../src/views/stage/keys_of_code.ts";
import { pythonLines } from "../src/views/stage/python_tokens.ts";

const linesOf = (...parts: string[]): string[] => parts.reduce((log, part) => log.add(part), new LogText()).lines.map(textOf);
const spansOf = (text: string): string[] => new LogText().add(text).lines.flatMap((line) => line.spans.map((span) => `${span.style}|${span.text}`));

test("colours of a terminal become classes, over lines until they are reset", () => {
  assert.deepEqual(spansOf("a\x1b[1;31mb\nc\x1b[0md"), ["|a", "ansi-bold ansi-fg-1|b", "ansi-bold ansi-fg-1|c", "|d"]);
  assert.deepEqual(spansOf("\x1b[94mx\x1b[39;42my\x1b[38;5;3mz\x1b[48;2;1;2;3mq\x1b[mr"), ["ansi-fg-12|x", "ansi-bg-2|y", "ansi-fg-3 ansi-bg-2|z", "ansi-fg-3|q", "|r"]);
});

test("all other escapes and control characters are left out", () => {
  assert.deepEqual(linesOf("a\x1b[2Kb\x1b]0;title\x07c\x1b]8;;http://x\x1b\\d\x1b(B\x00\x08\x7f\x9be\x1b[?25lf"), ["abcdef"]);
});

test("text that looks like a script is text", () => {
  assert.deepEqual(spansOf("<script>alert(1)</script>"), ["|<script>alert(1)</script>"]);
});

test("a line that is drawn again is shown as it was last", () => {
  assert.deepEqual(linesOf("10 %\r50 %\r100 %\nnext\r\n"), ["100 %", "next"]);
  assert.deepEqual(linesOf("10 %", "\r", "20 %", "\r\n", "end"), ["20 %", "end"]);
});

test("output in any pieces is the same lines", () => {
  const text = "one\n\x1b[31mtwo\x1b[0m\n\nthree\r\n\x1b]8;;x\x07four\rfive\n";
  const whole = JSON.stringify(new LogText().add(text).lines);
  for (let size = 1; size < text.length; size++) {
    const log = new LogText();
    for (let at = 0; at < text.length; at += size) log.add(text.slice(at, at + size));
    const joined = log.lines.map((line) => textOf(line));
    assert.deepEqual(joined, ["one", "two", "", "three", "five"], `in pieces of ${size}`);
  }
  assert.ok(whole.includes("ansi-fg-1"));
});

test("lines have their numbers, and the first ones are dropped where there are too many", () => {
  const log = new LogText().add("x\n".repeat(MOST_LINES * 2));
  assert.equal(log.lines.length, MOST_LINES);
  assert.equal(log.dropped, MOST_LINES);
  assert.equal(log.add("end").lines.at(-1)?.number, MOST_LINES * 2 + 1);
});

test("a line without end is cut, and says how much more it has", () => {
  const long = "y".repeat(1 << 20);
  const [line = ""] = linesOf(`${long.slice(0, 500_000)}`, `${long.slice(500_000)}\n`);
  assert.equal(line, `${"y".repeat(MOST_LETTERS)} … ${(1 << 20) - MOST_LETTERS} more letters`);
});

test("what is searched for is found in any case", () => {
  assert.deepEqual(splitBy("An error: ERROR", "error"), ["An ", "error", ": ", "ERROR", ""]);
  assert.deepEqual(splitBy("nothing", "x"), ["nothing"]);
  assert.deepEqual(splitBy("İx", "x"), ["İx"]);
});

test("the parts of Python are known by their signs", () => {
  const kinds = (source: string): string[] => pythonLines(source).flat().filter((token) => token.kind).map((token) => `${token.kind}|${token.text}`);
  assert.deepEqual(kinds("@x.y\ndef f(a=1.5): # note\n    return 'it' # 2"), ["decorator|@x.y", "keyword|def", "definition|f", "number|1.5", "comment|# note", "keyword|return", "text|'it'", "comment|# 2"]);
  assert.deepEqual(kinds('x = rb"#no" + f\'a\' + y.is_ + z.match'), ['text|rb"#no"', "text|f'a'"]);
  assert.deepEqual(kinds("match = 1\nmatch x:\ntype A = int"), ["number|1", "keyword|match", "keyword|type"]);
});

test("no letter of the source is lost, and texts of several lines stay in them", () => {
  const source = 'def f():\n    """Doc\n\n    # no comment\n    """\n    x = "unfinished\n    y = \'\'\'open\nend';
  assert.equal(pythonLines(source).map((line) => line.map((token) => token.text).join("")).join("\n"), source);
  assert.deepEqual(pythonLines(source)[3], [{ text: "    # no comment", kind: "text" }]);
});

test("an axis begins at zero and has a few round ticks", () => {
  assert.deepEqual(scaleFor([3.2, 7]).ticks, [0, 5, 10]);
  assert.deepEqual(scaleFor([0]).ticks, [0]);
  assert.equal(scaleFor([3, 10]).at(5), 0.5);
  for (const most of [0.001, 0.9, 1, 1.01, 29, 30, 31, 1e9]) {
    const { at, ticks } = scaleFor([most]);
    assert.ok(ticks.length >= 2 && ticks.length <= 7 && at(most) <= 1, String(most));
  }
  assert.deepEqual([spread(1), spread(3)], [[0.5], [0, 0.5, 1]]);
});

test("keys of code are shown by kind and name", () => {
  assert.deepEqual([nameOf("func:pipeline:inputs"), nameOf("loader:raw"), nameOf("x"), nameOf("const:a:b:c")], ["inputs", "raw", "x", "b:c"]);
  assert.deepEqual([kindOf("func:m:f"), kindOf("strange:m:f")], ["function", "strange"]);
  assert.deepEqual([shortValue("0d2175e422e922b63fb3e0f85d31b008"), shortValue("0.25"), shortValue(null)], ["0d2175e4", "0.25", ""]);
});

test("things of one kind stand together", () => {
  assert.deepEqual(byKind([{ kind: "a", n: 1 }, { kind: "b", n: 2 }, { kind: "a", n: 3 }]).map(([kind, items]) => [kind, items.map((item) => item.n)]), [["a", [1, 3]], ["b", [2]]]);
});
