// Builds the page: `npm run build` writes pivot_ui's static files, `npm run build -- --outdir DIR` writes them elsewhere.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { outdir: { type: "string" } } });
const target = path.resolve(values.outdir ?? path.join(here, "../src/pivot_ui/static"));

const LIBRARIES = {
  "preact": "preact/LICENSE",
  "@dagrejs/dagre": "@dagrejs/dagre/LICENSE",
  "@dagrejs/graphlib": "@dagrejs/graphlib/LICENSE",
};

async function sources() {
  const names = ["build.mjs", "package.json", "package-lock.json", "tsconfig.json"];
  for (const entry of await readdir(path.join(here, "src"), { recursive: true, withFileTypes: true }))
    if (entry.isFile()) names.push(path.relative(here, path.join(entry.parentPath, entry.name)));
  const digests = {};
  for (const name of names.sort())
    digests[name] = createHash("sha256").update(await readFile(path.join(here, name))).digest("hex");
  return digests;
}

async function licences() {
  const texts = ["The scripts of this page contain these libraries.\n"];
  for (const [name, file] of Object.entries(LIBRARIES))
    texts.push(`${name}\n\n${await readFile(path.join(here, "node_modules", file), "utf-8")}`);
  return texts.join("\n----------------------------------------\n\n");
}

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
await build({
  entryPoints: { app: path.join(here, "src/main.tsx"), layout_worker: path.join(here, "src/views/graph/layout_worker.ts") },
  outdir: target,
  absWorkingDir: here,
  bundle: true,
  format: "iife", // a page that is opened as a file can load no modules
  target: "es2022",
  minify: true,
  charset: "ascii",
  legalComments: "none",
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
});
await build({
  entryPoints: [path.join(here, "src/app.css")],
  outdir: target,
  absWorkingDir: here,
  bundle: true,
  minify: true,
  logLevel: "warning",
});
for (const name of ["index.html", "icon.svg"])
  await writeFile(path.join(target, name), await readFile(path.join(here, "src", name)));
await writeFile(path.join(target, "LICENSES.txt"), await licences());
await writeFile(path.join(target, "sources.json"), `${JSON.stringify(await sources(), null, 2)}\n`);
