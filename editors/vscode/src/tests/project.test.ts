import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { Project, commandOf, placeOf } from "../project";

const top = realpathSync(mkdtempSync(path.join(tmpdir(), "pivot-editor-")));
after(() => rmSync(top, { recursive: true }));

/** A project whose command is a script of Node. */
function projectOf(script: string): Project {
  const file = path.join(top, "command.js");
  writeFileSync(file, script);
  return new Project(top, () => [process.execPath, file]);
}

const ANSWER = 'console.log(JSON.stringify({ stages: [{ address: process.argv.slice(2).join(" "), file: process.cwd() }] }));';

test("the answer of the command, which runs in the project, is what is known", async () => {
  const project = projectOf(`console.error("note: slow"); ${ANSWER}`);

  assert.equal(await project.ask(0), true);

  const address = "status --json --explain --all --stages-only";
  assert.deepEqual([project.stages, project.problem], [[{ address, file: top }], ""]);
});

test("a long answer is read whole", async () => {
  const project = projectOf('console.log(JSON.stringify({ stages: Array(100_000).fill({ summary: "stale: much" }) }));');

  await project.ask(0);

  assert.deepEqual([project.stages.length, project.problem], [100_000, ""]);
});

test("a command that fails says why, and the stages of the answer before stay known", async () => {
  const failing = path.join(top, "fails");
  const project = projectOf(
    `if (require("node:fs").existsSync(${JSON.stringify(failing)})) { console.error("error: no"); process.exit(2); } ${ANSWER}`,
  );
  await project.ask(0);
  writeFileSync(failing, "");

  await project.ask(0);
  assert.deepEqual([project.stages.length, project.problem], [1, "error: no\n"]);

  rmSync(failing);
  await project.ask(0);
  assert.equal(project.problem, "");
});

test("a command that is not found, and an answer without stages, are problems", async () => {
  const missing = new Project(top, () => ["no-such-pivot"]);
  const wrong = ["1", "JSON.stringify({})", "'no'"].map((text) => new Project(top, () => [process.execPath, "-p", text, "--"]));

  await Promise.all([missing, ...wrong].map((project) => project.ask(0)));

  assert.equal(missing.problem, "cannot find no-such-pivot: set pivot.command to the words that start Pivot");
  for (const project of wrong) assert.notEqual(project.problem, "");
});

test("a newer question ends the one before, whose answer is dropped", async () => {
  const begun = path.join(top, "begun");
  const project = projectOf(
    `const fs = require("node:fs");
     if (fs.existsSync(${JSON.stringify(begun)})) { ${ANSWER} }
     else { fs.writeFileSync(${JSON.stringify(begun)}, ""); setInterval(() => {}, 1000); }`,
  );
  const first = project.ask(0);
  while (!existsSync(begun)) await new Promise((resolve) => setImmediate(resolve));

  assert.deepEqual(await Promise.all([project.ask(0), first]), [true, false]);
  assert.deepEqual([project.stages.length, project.problem], [1, ""]);
});

test("several saves are one question", async () => {
  const log = path.join(top, "questions");
  const project = projectOf(`require("node:fs").appendFileSync(${JSON.stringify(log)}, "asked "); ${ANSWER}`);

  assert.deepEqual(await Promise.all([1, 2, 3].map(() => project.ask())), [false, false, true]);

  assert.equal(readFileSync(log, "utf-8"), "asked ");
});

test("the project of a file is the nearest directory with a .pivot, from the file up to the open folder", () => {
  const inner = path.join(top, "outer/inner");
  mkdirSync(path.join(inner, ".pivot"), { recursive: true });
  mkdirSync(path.join(inner, "src"));
  mkdirSync(path.join(top, "outer/.pivot"));
  writeFileSync(path.join(inner, "src/steps.py"), "");
  writeFileSync(path.join(top, "outer/pipeline.py"), "");
  symlinkSync(inner, path.join(top, "link"));

  const outer = { root: path.join(top, "outer"), file: "pipeline.py" };
  const steps = { root: inner, file: "src/steps.py" };
  assert.deepEqual(placeOf(path.join(top, "outer/pipeline.py"), top), outer);
  assert.deepEqual(placeOf(path.join(top, "outer/pipeline.py"), path.join(top, "outer")), outer);
  assert.deepEqual(placeOf(path.join(inner, "src/steps.py"), top), steps);
  assert.deepEqual(placeOf(path.join(top, "link/src/steps.py"), path.join(top, "link")), steps);
  assert.equal(placeOf(path.join(inner, "src/steps.py"), path.join(inner, "src")), undefined);
  assert.equal(placeOf(path.join(top, "outer/absent.py"), top), undefined);
});

test("the command is that of the setting, of a .venv, or of the PATH", () => {
  const environment = path.join(top, "with");
  mkdirSync(path.join(environment, ".venv/bin"), { recursive: true });
  writeFileSync(path.join(environment, ".venv/bin/pivot"), "");

  assert.deepEqual(commandOf(["uv", "run", "pivot"], environment), ["uv", "run", "pivot"]);
  assert.deepEqual(commandOf([], path.join(top, "without"), environment), [path.join(environment, ".venv/bin/pivot")]);
  assert.deepEqual(commandOf([], path.join(top, "without")), ["pivot"]);
});
