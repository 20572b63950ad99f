// Parallel coordinates: an axis for each column, a line for each row.
import type { Cell } from "../../parts/sorting.ts";
import { type ResultColumn, type ResultRow, textOf, type Wish } from "./columns.ts";

export interface Axis {
  key: string;
  title: string;
  numeric: boolean;
  least: number;
  most: number;
  /** The texts of an axis without numbers, from the top. */
  texts: readonly string[];
}

/** Axes beyond these would be too close to each other. */
const MOST_AXES = 14;
const MOST_TEXTS = 40;

/** An axis for each column that tells rows apart. */
export function axesOf(columns: readonly ResultColumn[], rows: readonly ResultRow[]): Axis[] {
  return columns
    .filter((column) => !column.constant)
    .map((column) => axisOf(column, rows))
    .filter((axis) => (axis.numeric ? axis.least <= axis.most : axis.texts.length <= MOST_TEXTS))
    .slice(0, MOST_AXES);
}

function axisOf(column: ResultColumn, rows: readonly ResultRow[]): Axis {
  let [least, most] = [Infinity, -Infinity];
  const texts = new Set<string>();
  for (const row of rows) {
    const cell = row.cells.get(column.key);
    if (column.numeric && typeof cell === "number") [least, most] = [Math.min(least, cell), Math.max(most, cell)];
    else if (!column.numeric && cell !== undefined) texts.add(textOf(cell));
  }
  const order = new Intl.Collator("en", { numeric: true });
  return { key: column.key, title: column.name, numeric: column.numeric, least, most, texts: [...texts].sort(order.compare) };
}

/** Where a value is on its axis: 0 at the top, 1 at the bottom; null if it is missing. */
export function placeOn(axis: Axis, cell: Cell): number | null {
  if (!axis.numeric) {
    const index = cell === undefined || cell === null ? -1 : axis.texts.indexOf(textOf(cell));
    return index < 0 ? null : textPlace(axis, index);
  }
  if (typeof cell !== "number" || !Number.isFinite(cell)) return null;
  return axis.most === axis.least ? 0.5 : (axis.most - cell) / (axis.most - axis.least);
}

const textPlace = (axis: Axis, index: number): number => (axis.texts.length < 2 ? 0.5 : index / (axis.texts.length - 1));

/** What a part of an axis, from the top, wishes of a column. */
export function wishOn(axis: Axis, from: number, to: number): Wish {
  const [top, bottom] = [Math.max(0, Math.min(from, to)), Math.min(1, Math.max(from, to))];
  if (!axis.numeric) {
    const near = axis.texts.length < 2 ? 1 : 0.35 / (axis.texts.length - 1);
    const within = (place: number): boolean => place >= top - near && place <= bottom + near;
    return { kind: "choice", texts: new Set(axis.texts.filter((_, index) => within(textPlace(axis, index)))) };
  }
  const value = (place: number): number => Number((axis.most - place * (axis.most - axis.least)).toPrecision(4));
  return { kind: "range", least: bottom >= 1 ? null : value(bottom), most: top <= 0 ? null : value(top) };
}

/** The parts of an axis that a wish covers, from the top. */
export function partsOf(axis: Axis, wish: Wish): { from: number; to: number }[] {
  if (wish.kind === "range") {
    const place = (value: number | null, otherwise: number): number =>
      value === null ? otherwise : Math.max(0, Math.min(1, placeOn(axis, value) ?? otherwise));
    const [from, to] = [place(wish.most, 0), place(wish.least, 1)];
    return from <= to ? [{ from, to }] : [];
  }
  const half = axis.texts.length < 2 ? 0.5 : Math.min(0.06, 0.4 / (axis.texts.length - 1));
  return axis.texts.flatMap((text, index) => {
    const at = textPlace(axis, index);
    return wish.texts.has(text) ? [{ from: Math.max(0, at - half), to: Math.min(1, at + half) }] : [];
  });
}

/** A line through the axes, as a path of SVG; missing values interrupt it. */
export function pathOf(axes: readonly Axis[], row: ResultRow, x: (index: number) => number, y: (place: number) => number): string {
  let [path, joined] = ["", false];
  axes.forEach((axis, index) => {
    const place = placeOn(axis, row.cells.get(axis.key));
    if (place !== null) path += `${joined ? "L" : "M"}${x(index).toFixed(1)} ${y(place).toFixed(1)}`;
    joined = place !== null;
  });
  return path;
}

/** The row whose line is nearest to a point between two axes; null if none is within `most`. */
export function nearestRow(axes: readonly Axis[], rows: readonly ResultRow[], at: { x: number; y: number }, most: number): ResultRow | null {
  const left = Math.max(0, Math.min(axes.length - 2, Math.floor(at.x)));
  const [first, second] = [axes[left], axes[left + 1]];
  if (!first || !second) return null;
  let [found, distance]: [ResultRow | null, number] = [null, most];
  for (const row of rows) {
    const [from, to] = [placeOn(first, row.cells.get(first.key)), placeOn(second, row.cells.get(second.key))];
    if (from === null || to === null) continue;
    const gap = Math.abs(from + (to - from) * (at.x - left) - at.y);
    if (gap < distance) [found, distance] = [row, gap];
  }
  return found;
}

const STOPS: [red: number, green: number, blue: number][] = [[52, 96, 190], [46, 158, 138], [222, 130, 44]];

/** The colour of a place from 0, the lowest value, to 1, the highest. */
export function colourAt(place: number | null): string {
  if (place === null) return "var(--faint)";
  const at = Math.max(0, Math.min(1, place)) * (STOPS.length - 1);
  const index = Math.min(STOPS.length - 2, Math.floor(at));
  const [low, high] = [STOPS[index], STOPS[index + 1]];
  if (!low || !high) return "var(--faint)";
  const mixed = low.map((part, channel) => Math.round(part + ((high[channel] ?? part) - part) * (at - index)));
  return `rgb(${mixed.join(" ")})`;
}

/** The numbers beside an axis: its ends and some between them. */
export function axisMarks(axis: Axis, count = 5): { place: number; text: string }[] {
  if (!axis.numeric) return axis.texts.map((text, index) => ({ place: textPlace(axis, index), text: text || "none" }));
  if (axis.least === axis.most) return [{ place: 0.5, text: short(axis.least) }];
  return Array.from({ length: count }, (_, index) => {
    const place = index / (count - 1);
    return { place, text: short(axis.most - place * (axis.most - axis.least)) };
  });
}

const short = (value: number): string => String(Number(value.toPrecision(3)));
