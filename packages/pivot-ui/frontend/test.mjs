// Runs the tests: node 20 knows no TypeScript, so they are built first.
import { spawnSync } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const built = path.join(here, "node_modules/.tests");
await rm(built, { recursive: true, force: true });
const names = (await readdir(path.join(here, "tests"))).filter((name) => name.endsWith(".test.ts"));
await build({
  entryPoints: names.map((name) => path.join(here, "tests", name)),
  outdir: built,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
});
const files = names.map((name) => path.join(built, name.replace(/\.ts$/, ".mjs")));
process.exit(spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" }).status ?? 1);
