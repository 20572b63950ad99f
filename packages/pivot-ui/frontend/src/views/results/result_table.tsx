// The results of sweeps as a table.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { type DataColumn, DataTable } from "../../parts/data_table.tsx";
import { number, seconds } from "../../parts/formats.ts";
import type { Cell, Sort } from "../../parts/sorting.ts";
import { type ResultColumn, type ResultRow, SECONDS, textOf } from "./columns.ts";

interface ResultTableProps {
  columns: readonly ResultColumn[];
  rows: readonly ResultRow[];
  sort: Sort;
  onSort: (sort: Sort) => void;
  lit: number | null;
  open: number | null;
  onLight: (row: number | null) => void;
  onOpen: (row: number) => void;
}

export function ResultTable(props: ResultTableProps): JSX.Element {
  const { columns, onOpen } = props;
  const shown = useMemo(() => [nameColumn(onOpen), ...columns.map(dataColumn)], [columns, onOpen]);
  return (
    <DataTable
      label="Results"
      columns={shown}
      rows={props.rows}
      keyOf={(row) => row.index}
      sort={props.sort}
      onSort={props.onSort}
      pinned
      fill
      rowClass={(row) => [row.index === props.lit ? "lit" : "", row.index === props.open ? "chosen" : ""].filter(Boolean).join(" ")}
      onHover={(row) => props.onLight(row?.index ?? null)}
    />
  );
}

const NAME = "id";

/** What the rows are sorted by in a column. */
export const sortedBy = (row: ResultRow, key: string): Cell => (key === NAME ? row.result.recorded : row.cells.get(key));

/** What people call a result. */
export const titleOf = (row: ResultRow): string => row.result.id?.slice(0, 8) ?? "not recorded";

function nameColumn(onOpen: (row: number) => void): DataColumn<ResultRow> {
  return {
    key: NAME,
    title: "Result",
    cell: (row) => sortedBy(row, NAME),
    hint: "Sort by the time when it was recorded",
    show: (row) => (
      <span class="result-name">
        <button class="link" onClick={() => onOpen(row.index)} title={row.result.id ?? "its outs are in the workspace alone"}>
          {titleOf(row)}
        </button>
        {row.result.current ? <span class="badge tone-cached">workspace</span> : null}
        {row.result.stale.length ? (
          <span class="badge tone-stale" title={row.result.stale.join("\n")}>
            stale
          </span>
        ) : null}
      </span>
    ),
  };
}

function dataColumn(column: ResultColumn): DataColumn<ResultRow> {
  const data: DataColumn<ResultRow> = {
    key: column.key,
    title: <span class={`column-${column.kind}`}>{column.name}</span>,
    hint: `${column.name}, a ${column.kind}; sort, with Shift beside the other columns`,
    numeric: column.numeric,
    cell: (row) => sortedBy(row, column.key),
  };
  if (column.key === SECONDS) return { ...data, title: "took", hint: "How long its stages took", show: (row) => seconds(row.result.seconds) };
  return { ...data, show: (row) => <CellText cell={row.cells.get(column.key)} /> };
}

function CellText({ cell }: { cell: Cell }): JSX.Element {
  if (cell === undefined || cell === null) return <span class="faint">{cell === null ? "null" : ""}</span>;
  return <>{cellText(cell)}</>;
}

export const cellText = (cell: Cell): string => (typeof cell === "number" ? number(cell) : textOf(cell));
