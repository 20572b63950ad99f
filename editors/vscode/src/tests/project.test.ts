import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { Project, placeOf } from "../project";

const top = realpathSync(mkdtempSync(path.join(tmpdir(), "pivot-editor-")));
after(() => rmSync(top, { recursive: true }));

/** A project whose command is a script of Node. */
function project(script: string): { project: Project; said: string[]; changes: () => number } {
  const file = path.join(top, "command.js");
  const said: string[] = [];
  let count = 0;
  writeFileSync(file, script);
  const made = new Project(top, () => [process.execPath, file], () => (count += 1), (text) => said.push(text));
  return { project: made, said, changes: () => count };
}

const ANSWER = 'console.log(JSON.stringify({ stages: [{ address: process.argv.slice(2).join(" "), file: process.cwd() }] }));';

test("the answer of the command, which runs in the project, is what is known", async () => {
  const { project: asked, said, changes } = project(`console.error("note: slow"); ${ANSWER}`);

  await asked.ask();

  const address = "status --json --explain --all --stages-only";
  assert.deepEqual(asked.look, { stages: [{ address, file: top }] });
  assert.deepEqual([said, changes()], [[], 1]);
});

test("a command that fails says why, and the stages of the answer before stay known", async () => {
  const failing = path.join(top, "fails");
  const { project: asked, said } = project(
    `if (require("node:fs").existsSync(${JSON.stringify(failing)})) { console.error("error: no"); process.exit(2); } ${ANSWER}`,
  );
  await asked.ask();
  writeFileSync(failing, "");

  await asked.ask();

  assert.equal(asked.look.stages.length, 1);
  assert.match(asked.look.problem ?? "", /ended with 2/);
  assert.match(said.join(""), /error: no\n.*ended with 2/);
});

test("a command that cannot be started, and one that answers with something else, are problems", async () => {
  const problems: string[] = [];
  for (const command of [[path.join(top, "absent")], [process.execPath, "-p", "1"]]) {
    const asked = new Project(top, () => command, () => undefined, () => undefined);
    await asked.ask();
    problems.push(asked.look.problem ?? "");
  }

  assert.match(problems[0] ?? "", /ENOENT/);
  assert.notEqual(problems[1], "");
});

test("a newer question ends the one before, whose answer is dropped", async () => {
  const begun = path.join(top, "begun");
  const { project: asked, changes } = project(
    `const fs = require("node:fs");
     if (fs.existsSync(${JSON.stringify(begun)})) { ${ANSWER} }
     else { fs.writeFileSync(${JSON.stringify(begun)}, ""); setInterval(() => {}, 1000); }`,
  );
  const first = asked.ask();
  while (!existsSync(begun)) await new Promise((resolve) => setImmediate(resolve));

  await Promise.all([asked.ask(), first]);

  assert.deepEqual([asked.look.stages.length, asked.look.problem, changes()], [1, undefined, 1]);
});

test("several saves are one question", async () => {
  const log = path.join(top, "questions");
  const { project: asked, changes } = project(`require("node:fs").appendFileSync(${JSON.stringify(log)}, "asked "); ${ANSWER}`);

  for (const _ of [1, 2, 3]) asked.askSoon(1);
  while (changes() === 0) await new Promise((resolve) => setImmediate(resolve));

  assert.equal(readFileSync(log, "utf-8"), "asked ");
});

test("the project of a file is the nearest directory above it with a .pivot", () => {
  mkdirSync(path.join(top, "inner/.pivot"), { recursive: true });
  mkdirSync(path.join(top, ".pivot"));
  mkdirSync(path.join(top, "inner/src"));
  writeFileSync(path.join(top, "inner/src/steps.py"), "");
  writeFileSync(path.join(top, "pipeline.py"), "");
  symlinkSync(path.join(top, "inner"), path.join(top, "link"));

  assert.deepEqual(placeOf(path.join(top, "pipeline.py")), { root: top, file: "pipeline.py" });
  const inner = { root: path.join(top, "inner"), file: "src/steps.py" };
  assert.deepEqual(placeOf(path.join(top, "inner/src/steps.py")), inner);
  assert.deepEqual(placeOf(path.join(top, "link/src/steps.py")), inner);
  assert.equal(placeOf(path.join(top, "absent.py")), undefined);
});
