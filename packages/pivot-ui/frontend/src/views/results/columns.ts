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
  /** Every row has this value; with one row alone, its parameters. */
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

/** Numbers that are not finite arrive as texts, since JSON has none. */
const NOT_FINITE: Record<string, number> = { NaN: Number.NaN, Infinity: Infinity, "-Infinity": -Infinity };

/** A value as a table sorts it: lists and mappings by their texts. */
function cellOf(value: unknown): Cell {
  if (value === undefined || value === null) return value;
  if (typeof value === "number" || typeof value === "string") return value;
  return typeof value === "boolean" ? String(value) : JSON.stringify(value);
}

export function resultRows(results: readonly Result[]): ResultRow[] {
  const rows = results.map((result, index) => {
    const cells = new Map<string, Cell>([[SECONDS, result.seconds]]);
    for (const [name, value] of Object.entries(result.params)) cells.set(`param:${name}`, cellOf(value));
    for (const [name, value] of Object.entries(result.metrics)) cells.set(`metric:${name}`, cellOf(value));
    return { index, result, cells };
  });
  for (const key of new Set(rows.flatMap(({ cells }) => [...cells.keys()])))
    if (hasNumbers(rows, key)) for (const { cells } of rows) if (cells.has(key)) cells.set(key, numberOf(cells.get(key)));
  return rows;
}

/** Whether some values are numbers, and all others are missing or numbers that are not finite. */
function hasNumbers(rows: readonly ResultRow[], key: string): boolean {
  const there = rows.map(({ cells }) => cells.get(key)).filter((cell) => cell !== undefined && cell !== null);
  return there.some(isNumber) && there.every((cell) => isNumber(numberOf(cell)));
}

const numberOf = (cell: Cell): Cell => (typeof cell === "string" && Object.hasOwn(NOT_FINITE, cell) ? NOT_FINITE[cell] : cell);

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
  const alike = cells.every((cell) => Object.is(cell, cells[0]));
  return { key, name, kind, numeric: hasNumbers(rows, key), constant: rows.length > 1 ? alike : kind === "param" };
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

/** The text of a cell, which a choice names; "" if the row has no such value. */
export const textOf = (cell: Cell): string => (cell === undefined ? "" : String(cell));

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
