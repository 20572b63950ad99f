// One page of a table, with the types of its columns.
import type { JSX } from "preact";
import type { Preview } from "../../api/types.ts";
import { cellText, isNumeric } from "./pages.ts";

export function TablePreview({ shown, onKey }: { shown: Preview; onKey: (event: KeyboardEvent) => void }): JSX.Element {
  const [columns, rows, first] = [shown.columns ?? [], shown.rows ?? [], (shown.offset ?? 0) + 1];
  const numeric = columns.map((column) => isNumeric(column.type));
  return (
    <div class="table-preview" role="region" aria-label={`Rows of ${shown.path}`} tabIndex={0} onKeyDown={onKey}>
      <table>
        <thead>
          <tr>
            <th class="row-number" scope="col">
              <span class="visually-hidden">Row</span>
            </th>
            {columns.map((column, at) => (
              <th key={at} scope="col" class={numeric[at] ? "number" : ""} title={`${column.name}: ${column.type}`}>
                <span class="column-name">{column.name}</span>
                <span class="column-type">{column.type}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={first + at}>
              <td class="row-number">{first + at}</td>
              {columns.map((_, column) => (
                <Cell key={column} value={row[column]} numeric={numeric[column] ?? false} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Cell({ value, numeric }: { value: unknown; numeric: boolean }): JSX.Element {
  const text = cellText(value);
  const empty = value === null || value === undefined;
  return (
    <td class={`cell${empty ? " null" : ""}${numeric ? " number" : ""}`} title={text.length > 24 ? text : undefined}>
      {text}
    </td>
  );
}
