// Which part of a table is shown, and how its values look.
const digits = (count: number): string => count.toLocaleString("en-US").replaceAll(",", " ");

/** "rows 51–100 of 1 234". */
export function rangeText(page: { offset: number; count: number; total: number | null; more: boolean }, noun: string): string {
  const nouns = noun === "entry" ? "entries" : `${noun}s`;
  if (page.count === 0) return page.offset === 0 ? `no ${nouns}` : `no further ${nouns}`;
  if (page.offset === 0 && !page.more) return page.count === 1 ? `1 ${noun}` : `${page.count} ${nouns}`;
  const range = `${nouns} ${digits(page.offset + 1)}–${digits(page.offset + page.count)}`;
  return page.total === null ? range : `${range} of ${digits(page.total)}`;
}

/** Whether the values of a column are numbers, by the type that its reader names. */
export const isNumeric = (type: string): boolean => /^(u?(tiny|small|big|huge)?int(eger)?|float|double|decimal|number|real|half)\d*(?![a-z])/i.test(type);

/** A value in a table. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return "null";
  return typeof value === "string" ? value : String(value);
}

/** The parts of a path inside a directory, each with the path to it. */
export function crumbs(inside: string): { name: string; inside: string }[] {
  const names = inside.split("/").filter(Boolean);
  return names.map((name, at) => ({ name, inside: names.slice(0, at + 1).join("/") }));
}

/** A key that goes to another page: the new offset, or null. */
export function pageByKey(key: string, page: { offset: number; more: boolean; size: number }): number | null {
  if (key === "]" && page.more) return page.offset + page.size;
  if (key === "[" && page.offset > 0) return Math.max(0, page.offset - page.size);
  return null;
}
