// The columns of a sweep's table, and which rows are wanted.
import type { Result } from "../../api/types.ts";
import { scalar } from "../../parts/formats.ts";
import type { Cell } from "../../parts/sorting.ts";

export interface ResultRow {
  index: number;
  result: Result;
  cells: ReadonlyMap<string, Cell>;
}

export interface ResultColumn {
  key: string;
  name: string;
  kind: "param" | "metric" | "cost";
  numeric: boolean;
  /** Every row has this value. */
  constant: boolean;
}

/** Limits of a numeric column; null is none. */
interface Range {
  kind: "range";
  least: number | null;
  most: number | null;
}

/** The wanted texts of another column. */
interface Choice {
  kind: "choice";
  texts: ReadonlySet<string>;
}

export type Wish = Range | Choice;
export type Wishes = ReadonlyMap<string, Wish>;

export const SECONDS = "cost:seconds";

/** Numbers that are not finite arrive as texts. */
const NOT_FINITE = new Set(["nan", "inf", "-inf", "NaN", "Infinity", "-Infinity"]);

/** A value as a table sorts it: lists and mappings by their texts. */
function cellOf(value: unknown): Cell {
  if (value === undefined) return undefined;
  if (value === null) return "null";
  if (typeof value === "number" || typeof value === "string") return value;
  return typeof value === "boolean" ? String(value) : JSON.stringify(value);
}

export function resultRows(results: readonly Result[]): ResultRow[] {
  return results.map((result, index) => {
    const cells = new Map<string, Cell>([[SECONDS, result.seconds]]);
    for (const [name, value] of Object.entries(result.params)) cells.set(`param:${name}`, cellOf(value));
    for (const [name, value] of Object.entries(result.metrics)) cells.set(`metric:${name}`, value === null ? undefined : cellOf(value));
    return { index, result, cells };
  });
}

export function resultColumns(rows: readonly ResultRow[]): ResultColumn[] {
  const params = new Set(rows.flatMap((row) => Object.keys(row.result.params)));
  const metrics = new Set(rows.flatMap((row) => Object.keys(row.result.metrics)));
  return [
    ...[...params].map((name) => columnOf(rows, `param:${name}`, name, "param")),
    ...[...metrics].map((name) => columnOf(rows, `metric:${name}`, name, "metric")),
    { ...columnOf(rows, SECONDS, "seconds", "cost"), constant: false },
  ];
}

function columnOf(rows: readonly ResultRow[], key: string, name: string, kind: ResultColumn["kind"]): ResultColumn {
  const cells = rows.map((row) => row.cells.get(key));
  const there = cells.filter((cell) => cell !== undefined && cell !== null);
  const numeric = there.some(isNumber) && there.every((cell) => isNumber(cell) || NOT_FINITE.has(String(cell)));
  return { key, name, kind, numeric, constant: rows.length > 1 && cells.every((cell) => cell === cells[0]) };
}

const isNumber = (cell: Cell): cell is number => typeof cell === "number";

/** The rows with all of these words, in the wanted ranges. */
export function wantedRows(rows: readonly ResultRow[], search: string, wishes: Wishes): ResultRow[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    for (const [key, wish] of wishes) if (!grants(wish, row.cells.get(key))) return false;
    return words.length === 0 || hasWords(row, words);
  });
}

function grants(wish: Wish, cell: Cell): boolean {
  if (wish.kind === "choice") return wish.texts.has(textOf(cell));
  if (wish.least === null && wish.most === null) return true;
  if (!isNumber(cell)) return false;
  return (wish.least === null || cell >= wish.least) && (wish.most === null || cell <= wish.most);
}

/** The text of a cell that a choice names. */
export const textOf = (cell: Cell): string => (cell === undefined || cell === null ? "" : String(cell));

function hasWords(row: ResultRow, words: readonly string[]): boolean {
  const { result } = row;
  const parts = [result.id ?? "", result.current ? "current" : "", result.stale.length ? "stale" : "", ...result.stale];
  for (const [key, cell] of row.cells) parts.push(`${key.slice(key.indexOf(":") + 1)}=${textOf(cell)}`);
  const text = parts.join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}

/** These wishes with another one for a column; null wishes nothing of it. */
export function wishFor(wishes: Wishes, key: string, wish: Wish | null): Wishes {
  const others = new Map(wishes);
  const empty = wish === null || (wish.kind === "range" ? wish.least === null && wish.most === null : wish.texts.size === 0);
  if (empty) others.delete(key);
  else others.set(key, wish);
  return others;
}

/** A wish in words: "rate ≥ 0.1 and ≤ 0.5". */
export function wishText(name: string, wish: Wish): string {
  if (wish.kind === "choice") return `${name}: ${[...wish.texts].map((text) => text || "none").join(", ")}`;
  const parts = [wish.least === null ? "" : `≥ ${scalar(wish.least)}`, wish.most === null ? "" : `≤ ${scalar(wish.most)}`];
  return `${name} ${parts.filter(Boolean).join(" and ")}`;
}
