// The table of results as a CSV file.
import { type ResultColumn, type ResultRow, textOf } from "./columns.ts";

/** The rows and columns as CSV, with all digits of numbers; a value that is missing is empty. */
export function csvOf(columns: readonly ResultColumn[], rows: readonly ResultRow[]): string {
  const lines = rows.map(({ result, cells }) => [result.id ?? "", result.recorded ?? "", ...columns.map(({ key }) => textOf(cells.get(key)))]);
  return [["id", "recorded", ...columns.map(({ name }) => name)], ...lines].map((line) => `${line.map(field).join(",")}\r\n`).join("");
}

/** In quotation marks where a reader would take it for several fields. */
const field = (text: string): string => (/[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Have the browser save a text as a file. */
export function save(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  [link.href, link.download] = [address, name];
  link.click();
  setTimeout(() => URL.revokeObjectURL(address)); // the click has begun the download
}
