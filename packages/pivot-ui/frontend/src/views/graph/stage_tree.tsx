// The list beside the graph: the same stages as a tree of pipelines and families. Only the rows in view are elements.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { graph, liveStates } from "../../api/shared.ts";
import { isModified } from "../../parts/keys.ts";
import { Sign, toneOf } from "../../parts/signs.tsx";
import { route } from "../../routes.ts";
import { Store, useStore } from "../../store.ts";
import { countsOf } from "./filter.ts";
import { chosenStates, jump, selectedBy } from "./graph_state.ts";
import { treeRows, type TreeRow } from "./model.ts";

const ROW = 28;
const BEYOND = 8;
/** The states that a group's row has room for. */
const SHOWN = 3;

/** Rows of groups that the user has opened (true) or closed (false); pipelines are open at first. */
const opened = new Store<ReadonlyMap<string, boolean>>(new Map());
const isOpen = (id: string): boolean => opened.value.get(id) ?? id.startsWith("p:");

export function StageTree(): JSX.Element {
  const shown = useStore(graph);
  const states = useStore(liveStates);
  const chosen = useStore(chosenStates);
  const openRows = useStore(opened);
  const selected = selectedBy(useStore(route));
  const [at, setAt] = useState(0);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const box = useRef<HTMLDivElement>(null);
  const rows = useMemo(
    () => (shown ? treeRows(shown, isOpen, (address) => !chosen.size || chosen.has(states.get(address) ?? "unknown")) : []),
    [shown, openRows, chosen, chosen.size ? states : null],
  );
  const active = Math.min(at, rows.length - 1);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setHeight(box.current?.clientHeight ?? 600));
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const index = rows.findIndex((row) => row.id === selected);
    if (index >= 0) move(index);
  }, [selected]);
  const move = (index: number): void => {
    setAt(index);
    const element = box.current;
    if (!element) return;
    if (index * ROW < element.scrollTop) element.scrollTop = index * ROW;
    else if ((index + 1) * ROW > element.scrollTop + element.clientHeight) element.scrollTop = (index + 1) * ROW - element.clientHeight;
  };
  const press = (event: KeyboardEvent): void => {
    const next = isModified(event) ? null : step(event.key, rows, active);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    if (typeof next === "number") move(next);
    else act(next);
  };
  const act = (row: TreeRow): void => {
    if (row.open === null) jump(row.id);
    else opened.set(new Map(openRows).set(row.id, !row.open));
  };
  const first = Math.max(0, Math.floor(top / ROW) - BEYOND);
  const last = Math.min(rows.length, Math.ceil((top + height) / ROW) + BEYOND);
  const drawn = rows.slice(first, last).map((row, index) => [first + index, row] as const);
  // The row that has the focus is always an element: a reader of the page follows it.
  if (rows[active] && (active < first || active >= last)) drawn.push([active, rows[active]]);
  return (
    <div
      class="tree"
      ref={box}
      role="tree"
      aria-label="Stages"
      tabIndex={0}
      aria-activedescendant={rows.length ? `tree-row-${active}` : undefined}
      onKeyDown={press}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      <div role="presentation" style={{ height: `${rows.length * ROW}px` }}>
        {drawn.map(([index, row]) => (
          <div
            key={row.id}
            id={`tree-row-${index}`}
            role="treeitem"
            aria-level={row.level}
            aria-expanded={row.open ?? undefined}
            aria-posinset={row.position}
            aria-setsize={row.siblings}
            aria-selected={row.id === selected}
            aria-label={`${row.label}, ${countsOf(row.stages, states).map(([state, count]) => (row.address ? state : `${count} ${state}`)).join(", ")}`}
            class={index === active ? "row active" : "row"}
            title={row.address ?? row.label}
            style={{ top: `${index * ROW}px`, paddingLeft: `${row.level * 14 - 4}px` }}
            onClick={() => {
              setAt(index);
              act(row);
            }}
          >
            <span class="twist" aria-hidden="true">
              {row.open === null ? "" : row.open ? "▾" : "▸"}
            </span>
            <span class="label">{row.label}</span>
            <RowStates row={row} states={states} />
          </div>
        ))}
      </div>
    </div>
  );
}

function RowStates({ row, states }: { row: TreeRow; states: Parameters<typeof countsOf>[1] }): JSX.Element {
  return (
    <span class="counts">
      {countsOf(row.stages, states).slice(0, SHOWN).map(([state, count]) => (
        <span key={state} class={`small ${toneOf(state)}`}>
          <Sign state={state} />
          {row.address ? "" : count}
        </span>
      ))}
    </span>
  );
}

/** Where a key leads to: a row, or the row that it opens or closes. */
function step(key: string, rows: TreeRow[], at: number): number | TreeRow | null {
  const row = rows[at];
  if (!row) return null;
  switch (key) {
    case "ArrowDown":
      return Math.min(rows.length - 1, at + 1);
    case "ArrowUp":
      return Math.max(0, at - 1);
    case "Home":
      return 0;
    case "End":
      return rows.length - 1;
    case "ArrowRight":
      return row.open === false ? row : row.open ? Math.min(rows.length - 1, at + 1) : at;
    case "ArrowLeft": {
      if (row.open) return row;
      for (let index = at; index >= 0; index -= 1) if ((rows[index] as TreeRow).level < row.level) return index;
      return at;
    }
    case "Enter":
    case " ":
      return row;
    default:
      return null;
  }
}
