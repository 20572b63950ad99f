// Parallel coordinates: the places of values on axes, the lines through them, and the marks beside them.
import { number } from "../../parts/formats.ts";
import type { Cell } from "../../parts/sorting.ts";
import { type Axis, isLogarithmic } from "./axes.ts";
import { type ResultRow, textOf, type Wish } from "./columns.ts";

/** Below the axis: where a line goes if its row has no such value. */
export const NONE = 1.1;

const scaled = (axis: Axis, value: number): number => (isLogarithmic(axis) ? Math.log10(value) : value);

/** Where a value is on its axis: 0 at the top, 1 at the bottom, `NONE` below it if it is missing or not finite. */
export function placeOn(axis: Axis, cell: Cell): number {
  if (!axis.numeric) {
    const index = cell === undefined ? -1 : axis.texts.indexOf(textOf(cell));
    return index < 0 ? NONE : textPlace(axis, index);
  }
  if (typeof cell !== "number" || !Number.isFinite(cell)) return NONE;
  return numberPlace(axis, cell);
}

function numberPlace(axis: Axis, value: number): number {
  const [least, most] = [scaled(axis, axis.least), scaled(axis, axis.most)];
  return most === least ? 0.5 : (most - scaled(axis, value)) / (most - least);
}

const textPlace = (axis: Axis, index: number): number => (axis.texts.length < 2 ? 0.5 : index / (axis.texts.length - 1));

/** The number at a place, with as many digits as the axis tells apart. */
function numberAt(axis: Axis, place: number, digits: number): number {
  const [least, most] = [scaled(axis, axis.least), scaled(axis, axis.most)];
  const at = most - place * (most - least);
  return rounded(axis, isLogarithmic(axis) ? 10 ** at : at, digits);
}

function rounded(axis: Axis, value: number, digits: number): number {
  const largest = Math.max(Math.abs(axis.least), Math.abs(axis.most));
  const more = Math.ceil(Math.log10(largest / (axis.most - axis.least || largest || 1)));
  return Number(value.toPrecision(Math.max(digits, Math.min(16, digits + more))));
}

/** What a part of an axis, from the top, wishes of a column. */
export function wishOn(axis: Axis, from: number, to: number): Wish {
  const [top, bottom] = [Math.max(0, Math.min(from, to)), Math.min(1, Math.max(from, to))];
  if (!axis.numeric) {
    const near = axis.texts.length < 2 ? 1 : 0.35 / (axis.texts.length - 1);
    const within = (place: number): boolean => place >= top - near && place <= bottom + near;
    return { kind: "choice", texts: new Set(axis.texts.filter((_, index) => within(textPlace(axis, index)))) };
  }
  return { kind: "range", least: bottom >= 1 ? null : numberAt(axis, bottom, 4), most: top <= 0 ? null : numberAt(axis, top, 4) };
}

/** The parts of an axis that a wish covers, from the top. */
export function partsOf(axis: Axis, wish: Wish): { from: number; to: number }[] {
  if (wish.kind === "range") {
    const place = (value: number | null, otherwise: number): number =>
      value === null || (isLogarithmic(axis) && value <= 0) ? otherwise : Math.max(0, Math.min(1, numberPlace(axis, value)));
    const [from, to] = [place(wish.most, 0), place(wish.least, 1)];
    return from <= to ? [{ from, to }] : [];
  }
  const half = axis.texts.length < 2 ? 0.5 : Math.min(0.06, 0.4 / (axis.texts.length - 1));
  return axis.texts.flatMap((text, index) => {
    const at = textPlace(axis, index);
    return wish.texts.has(text) ? [{ from: Math.max(0, at - half), to: Math.min(1, at + half) }] : [];
  });
}

/** The part of an axis after a key: the arrows make it smaller from below and from above, and with Shift larger. */
export function partAfter(axis: Axis, wish: Wish | undefined, key: string, shift: boolean): [from: number, to: number] | null {
  const parts = wish ? partsOf(axis, wish) : [];
  const step = axis.numeric ? 0.05 : 1 / Math.max(1, axis.texts.length - 1);
  const [from, to] = [parts[0]?.from ?? 0, parts.at(-1)?.to ?? 1];
  const by = shift ? -step : step;
  if (key === "ArrowUp") return [from, Math.min(1, Math.max(from, to - by))];
  return key === "ArrowDown" ? [Math.max(0, Math.min(to, from + by)), to] : null;
}

/** A line through the axes, as a path of SVG. */
export function pathOf(axes: readonly Axis[], row: ResultRow, x: (index: number) => number, y: (place: number) => number): string {
  const points = axes.map((axis, index) => `${x(index).toFixed(1)} ${y(placeOn(axis, row.cells.get(axis.key))).toFixed(1)}`);
  return `M${points.join("L")}`;
}

/** The row whose line is nearest to a point between two axes; null if none is within `most`. */
export function nearestRow(axes: readonly Axis[], rows: readonly ResultRow[], at: { x: number; y: number }, most: number): ResultRow | null {
  const left = Math.max(0, Math.min(axes.length - 2, Math.floor(at.x)));
  const [first, second] = [axes[left], axes[left + 1]];
  if (!first || !second) return null;
  let [found, distance]: [ResultRow | null, number] = [null, most];
  for (const row of rows) {
    const [from, to] = [placeOn(first, row.cells.get(first.key)), placeOn(second, row.cells.get(second.key))];
    const gap = Math.abs(from + (to - from) * (at.x - left) - at.y);
    if (gap < distance) [found, distance] = [row, gap];
  }
  return found;
}

const STOPS: [red: number, green: number, blue: number][] = [[52, 96, 190], [46, 158, 138], [222, 130, 44]];

/** The colour of a place from 0, the lowest value, to 1, the highest. */
export function colourAt(place: number): string {
  const at = Math.max(0, Math.min(1, place)) * (STOPS.length - 1);
  const index = Math.min(STOPS.length - 2, Math.floor(at));
  const [low, high] = [STOPS[index], STOPS[index + 1]];
  if (!low || !high) return "var(--faint)";
  const mixed = low.map((part, channel) => Math.round(part + ((high[channel] ?? part) - part) * (at - index)));
  return `rgb(${mixed.join(" ")})`;
}

interface Mark {
  place: number;
  text: string;
}

/** Marks that are nearer to each other could not be read. */
const APART = 0.06;

/** The texts beside an axis: its values if they are few, else its ends and some values between them. */
export function axisMarks(axis: Axis): Mark[] {
  const none = axis.missing ? [{ place: NONE, text: "none" }] : [];
  const marks = axis.numeric ? numberMarks(axis) : axis.texts.map((text, index) => ({ place: textPlace(axis, index), text: text || '""' }));
  return [...apart(marks), ...none];
}

function numberMarks(axis: Axis): Mark[] {
  const mark = (value: number): Mark => ({ place: numberPlace(axis, value), text: markText(rounded(axis, value, 3)) });
  if (axis.values.length) return axis.values.map(mark).reverse();
  if (isLogarithmic(axis)) return [mark(axis.most), ...powers(axis).map(mark).reverse(), mark(axis.least)];
  const between = [0.25, 0.5, 0.75].map((place) => ({ place, text: markText(numberAt(axis, place, 2)) }));
  return [mark(axis.most), ...between, mark(axis.least)];
}

const markText = (value: number): string => number(value, 16);

/** The powers of ten on an axis, at most eight. */
function powers(axis: Axis): number[] {
  const [from, to] = [Math.ceil(Math.log10(axis.least)), Math.floor(Math.log10(axis.most))];
  const step = Math.max(1, Math.ceil((to - from) / 8));
  return Array.from({ length: Math.max(0, Math.floor((to - from) / step) + 1) }, (_, index) => Number(`1e${from + index * step}`));
}

/** Both ends, and the marks between them that have room. */
function apart(marks: readonly Mark[]): Mark[] {
  const last = marks.at(-1);
  const kept: Mark[] = [];
  for (const mark of marks) {
    const before = kept.at(-1)?.place ?? -1;
    if (mark === last || (mark.place - before >= APART && (!last || last.place - mark.place >= APART || kept.length === 0))) kept.push(mark);
  }
  return kept;
}
