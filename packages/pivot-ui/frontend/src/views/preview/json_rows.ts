// The rows of a tree that shows a value of JSON: those whose parents are open.
import { counted } from "../../parts/formats.ts";

export interface TreeRow {
  /** Where the value is, as a path of keys in JSON. */
  id: string;
  depth: number;
  name: string | null;
  kind: "object" | "list" | "text" | "number" | "boolean" | "null";
  text: string;
  /** Whether it has parts. */
  branch: boolean;
  open: boolean;
}

const isBranch = (value: unknown): value is object => typeof value === "object" && value !== null;

/** The identifier of the whole value. */
export const ROOT = "[]";

/** The rows to show, when these values are open. */
export function rowsOf(value: unknown, open: ReadonlySet<string>): TreeRow[] {
  const rows: TreeRow[] = [];
  const add = (part: unknown, path: (string | number)[], name: string | null): void => {
    const id = JSON.stringify(path);
    const branch = isBranch(part) && Object.keys(part).length > 0;
    const shown = branch && open.has(id);
    rows.push({ id, depth: path.length, name, kind: kindOf(part), text: textOf(part), branch, open: shown });
    if (!shown) return;
    if (Array.isArray(part)) part.forEach((each, at) => add(each, [...path, at], String(at)));
    else for (const [key, each] of Object.entries(part)) add(each, [...path, key], key);
  };
  add(value, [], null);
  return rows;
}

/** What is open at first: the levels that together have few rows. */
export function openAtFirst(value: unknown, most = 60): Set<string> {
  const open = new Set<string>();
  let [level, rows]: [[unknown, (string | number)[]][], number] = [[[value, []]], 1];
  while (level.length) {
    const next: typeof level = [];
    for (const [part, path] of level)
      if (isBranch(part)) for (const [key, each] of entriesOf(part)) next.push([each, [...path, key]]);
    rows += next.length;
    if (rows > most && open.size) return open;
    for (const [part, path] of level) if (isBranch(part)) open.add(JSON.stringify(path));
    level = next;
  }
  return open;
}

/** Every value with parts. */
export function everyBranch(value: unknown): Set<string> {
  return openAtFirst(value, Infinity);
}

/** The identifier of the value that a value is in. */
export function parentOf(id: string): string | null {
  const path = JSON.parse(id) as unknown[];
  return path.length ? JSON.stringify(path.slice(0, -1)) : null;
}

function entriesOf(value: object): [string | number, unknown][] {
  return Array.isArray(value) ? value.map((each, at) => [at, each] as [number, unknown]) : Object.entries(value);
}

function kindOf(value: unknown): TreeRow["kind"] {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "list";
  switch (typeof value) {
    case "object":
      return "object";
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    default:
      return "text";
  }
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.length ? `[${counted(value.length, "item")}]` : "[]";
  if (isBranch(value)) {
    const count = Object.keys(value).length;
    return count ? `{${counted(count, "key")}}` : "{}";
  }
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
