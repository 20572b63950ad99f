// What differs between two sides, as rows of tables.
import type { OutChange, ValueChange } from "../../api/types.ts";
import { number, scalar } from "../../parts/formats.ts";

/** What became of something between the left side and the right one. */
export type Became = "same" | "changed" | "added" | "removed";

export interface ValueRow extends ValueChange {
  /** The stage or the file that it belongs to. */
  owner: string;
  became: Became;
}

/** The values of all owners in one list. */
export function valueRows(groups: readonly { owner: string; values: readonly ValueChange[] }[], all: boolean): ValueRow[] {
  return groups.flatMap(({ owner, values }) =>
    values.filter((value) => all || value.changed).map((value) => ({ ...value, owner, became: valueBecame(value) })),
  );
}

function valueBecame(value: ValueChange): Became {
  if (!value.changed) return "same";
  if (!("old" in value)) return "added";
  return "new" in value ? "changed" : "removed";
}

export function outBecame(out: OutChange): Became {
  if (out.same) return "same";
  if (out.left === null) return "added";
  return out.right === null ? "removed" : "changed";
}

/** A difference of numbers with its sign and its direction in words; null for other values. */
export function changeOf(value: ValueChange): { sign: "▲" | "▼"; text: string; word: "higher" | "lower" } | null {
  const { change } = value;
  if (typeof change !== "number" || !Number.isFinite(change) || change === 0) return null;
  const part = typeof value.old === "number" && value.old !== 0 ? change / Math.abs(value.old) : null;
  const text = `${change > 0 ? "+" : "−"}${number(Math.abs(change))}`;
  const share = part === null ? "" : ` (${change > 0 ? "+" : "−"}${percent(Math.abs(part))})`;
  return { sign: change > 0 ? "▲" : "▼", text: text + share, word: change > 0 ? "higher" : "lower" };
}

function percent(part: number): string {
  if (part >= 10) return `${number(Number(part.toPrecision(2)))}×`;
  const value = part * 100;
  return `${value >= 0.1 ? value.toFixed(1) : value.toPrecision(1)}%`;
}

/** Both sides of a value in one line each; numbers that differ with as many more digits as show the difference. */
export function sideTexts({ old, new: now, changed }: ValueChange): [left: string, right: string] {
  for (let digits = 6; changed && typeof old === "number" && typeof now === "number" && digits <= 17; digits++) {
    const texts: [string, string] = [number(old, digits), number(now, digits)];
    if (texts[0] !== texts[1]) return texts;
  }
  return [valueText(old), valueText(now)];
}

/** A value of JSON in one line, as far as a cell shows it. */
function valueText(value: unknown): string {
  if (value === null) return "null";
  return value === undefined ? "" : scalar(value);
}

/** "3 changed, 1 added", the most telling first. */
export function tally(rows: readonly Became[]): string {
  const count = (became: Became): number => rows.filter((each) => each === became).length;
  const parts = (["changed", "added", "removed", "same"] as const).map((became) => [count(became), became] as const);
  return parts
    .filter(([many]) => many > 0)
    .map(([many, became]) => `${many} ${became}`)
    .join(", ");
}
