// A table that is sorted by its headers, and draws only the rows on the screen where there are many.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { scalar } from "./formats.ts";
import { type Cell, nextSort, rowWindow, type Sort, sortRows } from "./sorting.ts";

export interface DataColumn<Row> {
  key: string;
  title: ComponentChildren;
  /** What it is sorted by, and shows unless `show` is given. */
  cell: (row: Row) => Cell;
  show?: (row: Row) => ComponentChildren;
  numeric?: boolean;
  /** No order makes sense, as for a checkbox. */
  plain?: boolean;
  hint?: string;
  /** Takes the room that others leave. */
  wide?: boolean;
}

interface DataTableProps<Row> {
  label: string;
  columns: readonly DataColumn<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string | number;
  sort: Sort;
  onSort: (sort: Sort) => void;
  /** The first column stays in view. */
  pinned?: boolean;
  /** Scrolls in itself, as high as its place. */
  fill?: boolean;
  rowClass?: (row: Row) => string;
  onHover?: (row: Row | null) => void;
}

const ROW = 33;
const MANY = 100;

export function DataTable<Row>(props: DataTableProps<Row>): JSX.Element {
  const { columns, rows, sort } = props;
  const ordered = useMemo(() => {
    const cells = new Map(columns.map((column) => [column.key, column.cell]));
    return sortRows(rows, sort, (row, key) => cells.get(key)?.(row));
  }, [columns, rows, sort]);
  const many = rows.length > MANY;
  const box = useRef<HTMLDivElement>(null);
  const shown = useShownRows(box, ordered.length, many);
  const classes = ["data-table", props.pinned ? "pinned" : "", props.fill || many ? "fill" : ""].filter(Boolean).join(" ");
  return (
    <div class={classes} ref={box} tabIndex={many ? 0 : -1} role="region" aria-label={props.label}>
      <table aria-rowcount={ordered.length + 1}>
        <thead>
          <tr>
            {columns.map((column) => (
              <Header key={column.key} column={column} sort={sort} onSort={props.onSort} />
            ))}
          </tr>
        </thead>
        <tbody onMouseLeave={() => props.onHover?.(null)}>
          <Spacer rows={shown.first} columns={columns.length} />
          {ordered.slice(shown.first, shown.end).map((row, index) => (
            <tr
              key={props.keyOf(row)}
              class={props.rowClass?.(row)}
              aria-rowindex={shown.first + index + 2}
              onMouseEnter={() => props.onHover?.(row)}
              onFocusIn={() => props.onHover?.(row)}
            >
              {columns.map((column) => (
                <DataCell key={column.key} column={column} row={row} />
              ))}
            </tr>
          ))}
          <Spacer rows={ordered.length - shown.end} columns={columns.length} />
        </tbody>
      </table>
    </div>
  );
}

function useShownRows(box: { current: HTMLDivElement | null }, count: number, many: boolean): { first: number; end: number } {
  const [place, setPlace] = useState({ top: 0, height: 800 });
  useEffect(() => {
    const element = box.current;
    if (!many || element === null) return undefined;
    const take = (): void => setPlace({ top: element.scrollTop, height: element.clientHeight });
    const seen = new ResizeObserver(take);
    seen.observe(element);
    element.addEventListener("scroll", take, { passive: true });
    return () => {
      seen.disconnect();
      element.removeEventListener("scroll", take);
    };
  }, [many]);
  return many ? rowWindow(count, place.top, place.height, ROW) : { first: 0, end: count };
}

/** The height of rows that are not drawn. */
function Spacer({ rows, columns }: { rows: number; columns: number }): JSX.Element | null {
  if (rows <= 0) return null;
  return (
    <tr class="spacer" aria-hidden="true">
      <td colSpan={columns} style={{ height: `${rows * ROW}px` }} />
    </tr>
  );
}

interface HeaderProps<Row> {
  column: DataColumn<Row>;
  sort: Sort;
  onSort: (sort: Sort) => void;
}

function Header<Row>({ column, sort, onSort }: HeaderProps<Row>): JSX.Element {
  const at = sort.findIndex((each) => each.key === column.key);
  const descending = sort[at]?.descending ?? false;
  const order = at < 0 ? "none" : descending ? "descending" : "ascending";
  const kind = column.numeric ? "number" : undefined;
  if (column.plain)
    return (
      <th scope="col" class={kind}>
        {column.title}
      </th>
    );
  return (
    <th scope="col" class={kind} aria-sort={at <= 0 ? order : "other"}>
      <button
        title={column.hint ?? "Sort; with Shift, beside the other columns"}
        onClick={(event) => onSort(nextSort(sort, column.key, event.shiftKey))}
      >
        <span class="head">{column.title}</span>
        <span class="order" aria-hidden="true">
          {at < 0 ? "" : descending ? "▼" : "▲"}
          {at >= 0 && sort.length > 1 ? at + 1 : ""}
        </span>
      </button>
    </th>
  );
}

function DataCell<Row>({ column, row }: { column: DataColumn<Row>; row: Row }): JSX.Element {
  const value = column.cell(row);
  const kind = [column.numeric ? "number" : "", column.wide ? "wide" : ""].filter(Boolean).join(" ") || undefined;
  return (
    <td class={kind} title={typeof value === "string" && !column.plain ? value : undefined}>
      {column.show ? column.show(row) : scalar(value)}
    </td>
  );
}
