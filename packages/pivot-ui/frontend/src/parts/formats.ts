// Numbers and times as people read them.

/** A duration: 0.04s, 3.2s, 4m 05s, 2h 03m. */
export function seconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (value < 60) return `${value < 10 ? value.toFixed(2) : value.toFixed(1)}s`;
  const whole = Math.round(value);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours ? `${hours}h ${String(minutes).padStart(2, "0")}m` : `${minutes}m ${String(whole % 60).padStart(2, "0")}s`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** A size: 12 B, 3.4 kB, 1.2 GB. */
export function size(value: number | null | undefined): string {
  if (value === null || value === undefined) return "";
  let [at, rest] = [0, value];
  while (rest >= 999.5 && at < UNITS.length - 1) [at, rest] = [at + 1, rest / 1000];
  return `${at === 0 ? rest : rest.toPrecision(rest < 10 ? 2 : 3)} ${UNITS[at]}`;
}

/** A number with at most so many significant digits, and all those of its whole part: 12, 0.25, 3.4e-5. */
export function number(value: number, digits = 6): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return String(value);
  if (size >= 1e-4 && size < 1e15) return String(Number(value.toPrecision(Math.max(digits, Math.floor(Math.log10(size)) + 1))));
  const [mantissa, power] = value.toExponential(digits - 1).split("e");
  return `${Number(mantissa)}e${power?.replace("+", "")}`;
}

/** A value of JSON in one line. */
export function scalar(value: unknown): string {
  if (typeof value === "number") return number(value);
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A moment: 14:03:22 today, else 2026-05-01 14:03. */
export function moment(iso: string, now: Date = new Date()): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  const two = (part: number): string => String(part).padStart(2, "0");
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}`;
  return time.toDateString() === now.toDateString() ? `${clock}:${two(time.getSeconds())}` : `${date} ${clock}`;
}

/** "1 stage", "3 stages". */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
