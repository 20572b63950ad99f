// The results of sweeps: lines through the columns that differ, and the table, which show the same choice.
import type { JSX } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { newestRun, version } from "../../api/live.ts";
import type { Result } from "../../api/types.ts";
import { Answered, Empty } from "../../parts/messages.tsx";
import { counted } from "../../parts/formats.ts";
import { isPlain } from "../../parts/keys.ts";
import { type Sort, sortRows } from "../../parts/sorting.ts";
import { useAnswer, useStore } from "../../store.ts";
import { type ResultColumn, resultColumns, type ResultRow, resultRows, wantedRows, type Wish, wishFor, type Wishes, wishText } from "./columns.ts";
import { csvOf, save } from "./csv.ts";
import { Lines } from "./lines.tsx";
import { ResultDetails } from "./result_details.tsx";
import { ColumnChoice, Filters } from "./result_filters.tsx";
import { cellText, ResultTable, sortedBy } from "./result_table.tsx";

export function ResultsView(): JSX.Element {
  const run = useStore(newestRun);
  const answer = useAnswer<{ results: Result[] }>("results", {}, `${useStore(version)} ${run?.run} ${run?.state}`);
  return <Answered answer={answer}>{({ results }) => (results.length ? <Results results={results} /> : <NoResults />)}</Answered>;
}

function NoResults(): JSX.Element {
  return (
    <Empty>
      No result has been recorded. <code>pivot repro -p train.rate=0.1,0.2 --compare</code> runs a sweep, whose results are compared here.
    </Empty>
  );
}

function Results({ results }: { results: Result[] }): JSX.Element {
  const rows = useMemo(() => resultRows(results), [results]);
  const columns = useMemo(() => resultColumns(rows), [rows]);
  const [search, setSearch] = useState("");
  const [wishes, setWishes] = useState<Wishes>(new Map());
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [sort, setSort] = useState<Sort>([]);
  const [lit, setLit] = useState<number | null>(null);
  const [open, setOpen] = useState<number | null>(null);
  const shown = useMemo(() => columns.filter((column) => !column.constant && !hidden.has(column.key)), [columns, hidden]);
  const wanted = useMemo(() => wantedRows(rows, search, wishes), [rows, search, wishes]);
  const wish = (key: string, value: Wish | null): void => setWishes((old) => wishFor(old, key, value));
  const openRow = useCallback((row: number) => setOpen(row), []);
  useEscape(() => setOpen(null));
  const opened = open === null ? undefined : rows[open];
  return (
    <section class={opened ? "results with-details" : "results"} aria-label="Results">
      <div class="results-main">
        <div class="toolbar">
          <h2>Results</h2>
          <input type="search" aria-label="Find results" placeholder="Find values, IDs, stale" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
          <Filters columns={columns} rows={rows} wishes={wishes} onWish={wish} />
          <ColumnChoice columns={columns.filter((column) => !column.constant)} hidden={hidden} onHide={setHidden} />
          <button title="Save this table as CSV" onClick={() => save("results.csv", csvOf(shown, sortRows(wanted, sort, sortedBy)))}>
            CSV
          </button>
          <span class="faint" role="status">
            {wanted.length === rows.length ? counted(rows.length, "result") : `${wanted.length} of ${counted(rows.length, "result")}`}
          </span>
        </div>
        <ChosenWishes columns={columns} wishes={wishes} onWish={wish} />
        <Lines rows={rows} columns={columns} wanted={wanted} wishes={wishes} onWish={wish} lit={lit} onLight={setLit} onOpen={openRow} />
        <SameEverywhere columns={columns} rows={rows} />
        <ResultTable columns={shown} rows={wanted} sort={sort} onSort={setSort} lit={lit} open={open} onLight={setLit} onOpen={openRow} />
      </div>
      {opened ? <ResultDetails key={opened.index} row={opened} onClose={() => setOpen(null)} /> : null}
    </section>
  );
}

function useEscape(act: () => void): void {
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && isPlain(event)) act();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

/** The wishes, each of which a click takes back. */
function ChosenWishes({ columns, wishes, onWish }: { columns: readonly ResultColumn[]; wishes: Wishes; onWish: (key: string, wish: null) => void }): JSX.Element | null {
  if (wishes.size === 0) return null;
  return (
    <p class="wishes">
      {[...wishes].map(([key, wish]) => {
        const text = wishText(columns.find((column) => column.key === key)?.name ?? key, wish);
        return (
          <button key={key} title={`Take back: ${text}`} onClick={() => onWish(key, null)}>
            {text} <span aria-hidden="true">✕</span>
          </button>
        );
      })}
    </p>
  );
}

/** The columns in which every result is alike. */
function SameEverywhere({ columns, rows }: { columns: readonly ResultColumn[]; rows: readonly ResultRow[] }): JSX.Element | null {
  const same = columns.filter((column) => column.constant);
  const first = rows[0];
  if (same.length === 0 || !first) return null;
  return (
    <details class="same">
      <summary>
        {rows.length > 1 ? "Same everywhere" : "Parameters"} ({same.length})
      </summary>
      <ul>
        {same.map((column) => (
          <li key={column.key}>
            {column.name} = <code>{cellText(first.cells.get(column.key))}</code>
          </li>
        ))}
      </ul>
    </details>
  );
}
