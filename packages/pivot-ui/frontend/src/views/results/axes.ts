// The axes of parallel coordinates: which columns tell rows apart, and their scales.
import { type ResultColumn, type ResultRow, SECONDS, textOf } from "./columns.ts";

export interface Axis {
  key: string;
  title: string;
  /** Other columns that have the same values in all rows. */
  alike: readonly string[];
  numeric: boolean;
  least: number;
  most: number;
  /** The numbers if they are few, the lowest first. */
  values: readonly number[];
  /** The texts of an axis without numbers, from the top. */
  texts: readonly string[];
  /** A row has no such value, or none that is finite. */
  missing: boolean;
  /** Its scale is to be that of a logarithm, if it can be. */
  log: boolean;
}

/** What somebody has chosen; what is absent is as usual. */
export interface AxisChoice {
  shown: ReadonlySet<string> | null;
  log: ReadonlyMap<string, boolean>;
}

/** Axes beyond these would be too close to each other. */
const USUAL_AXES = 10;
const LEAST_METRICS = 4;
const MOST_TEXTS = 40;
const FEW_VALUES = 9;
/** Two of them. */
const DECADES = 100;

/** An axis for each column that can have one: not all rows are alike, and the texts are not too many. */
export function possibleAxes(columns: readonly ResultColumn[], rows: readonly ResultRow[], log: AxisChoice["log"] = new Map()): Axis[] {
  const found = new Map<string, Axis & { alike: string[] }>();
  for (const column of columns) {
    if (column.constant) continue;
    const values = `${column.kind} ${JSON.stringify(rows.map((row) => String(row.cells.get(column.key))))}`;
    const before = found.get(values);
    if (before) before.alike.push(column.name);
    else found.set(values, { ...axisOf(column, rows, log.get(column.key)), alike: [] });
  }
  return [...found.values()].filter((axis) => (axis.numeric ? axis.least < axis.most || axis.missing : axis.texts.length <= MOST_TEXTS));
}

/** The axes that are shown unless somebody chooses others: parameters and metrics, and the time if there is room. */
export function usualAxes(axes: readonly Axis[]): Axis[] {
  const params = axes.filter(({ key }) => key.startsWith("param:"));
  const metrics = axes.filter(({ key }) => key.startsWith("metric:"));
  const some = metrics.slice(0, Math.max(LEAST_METRICS, USUAL_AXES - params.length));
  const shown = [...params.slice(0, USUAL_AXES - some.length), ...some];
  return shown.length < USUAL_AXES / 2 ? [...shown, ...axes.filter(({ key }) => key === SECONDS)] : shown;
}

export function chosenAxes(axes: readonly Axis[], shown: AxisChoice["shown"]): Axis[] {
  return shown === null ? usualAxes(axes) : axes.filter(({ key }) => shown.has(key));
}

/** Whether its values can be on the scale of a logarithm. */
export const canBeLogarithmic = (axis: Axis): boolean => axis.numeric && axis.least > 0 && axis.most > axis.least;

export const isLogarithmic = (axis: Axis): boolean => axis.log && canBeLogarithmic(axis);

function axisOf(column: ResultColumn, rows: readonly ResultRow[], log: boolean | undefined): Axis {
  const [numbers, texts]: [number[], Set<string>] = [[], new Set()];
  let missing = false;
  for (const row of rows) {
    const cell = row.cells.get(column.key);
    if (column.numeric ? typeof cell !== "number" || !Number.isFinite(cell) : cell === undefined) missing = true;
    else if (typeof cell === "number" && column.numeric) numbers.push(cell);
    else texts.add(textOf(cell));
  }
  numbers.sort((left, right) => left - right);
  const values = [...new Set(numbers)];
  const [least, most] = [values[0] ?? Infinity, values.at(-1) ?? -Infinity];
  const order = new Intl.Collator("en", { numeric: true });
  return {
    key: column.key,
    title: column.name,
    alike: [],
    numeric: column.numeric,
    least,
    most,
    values: values.length <= FEW_VALUES ? values : [],
    texts: [...texts].sort(order.compare),
    missing,
    log: log ?? spansDecades(numbers),
  };
}

/** Whether most of the numbers do, rather than a few that are far from the others. */
function spansDecades(sorted: readonly number[]): boolean {
  const at = (part: number): number => sorted[Math.round(part * (sorted.length - 1))] ?? 0;
  return (sorted[0] ?? 0) > 0 && at(0.9) / at(0.1) >= DECADES;
}

/** A name in at most two lines of so many letters: the end of it tells most. */
export function titleLines(title: string, letters: number): string[] {
  if (title.length <= letters) return [title];
  const cut = title.length > 2 * letters ? `…${title.slice(1 - 2 * letters)}` : title;
  const least = cut.length - letters;
  const breaks = [...cut.matchAll(/[._@/\s-]+/g)].map((found) => found.index + found[0].length);
  const at = breaks.find((each) => each >= least && each <= letters) ?? Math.max(least, Math.min(letters, Math.ceil(cut.length / 2)));
  return [cut.slice(0, at), cut.slice(at)];
}
