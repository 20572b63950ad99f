// A value of JSON as a tree: arrows move, open and close.
import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { isModified } from "../../parts/keys.ts";
import { everyBranch, openAtFirst, parentOf, ROOT, rowsOf, type TreeRow } from "./json_rows.ts";

export function JsonTree({ value, label }: { value: unknown; label: string }): JSX.Element {
  const [open, setOpen] = useState<ReadonlySet<string>>(() => openAtFirst(value));
  const [current, setCurrent] = useState(ROOT);
  const tree = useRef<HTMLDivElement>(null);
  const moved = useRef(false);
  const rows = useMemo(() => rowsOf(value, open), [value, open]);
  const at = Math.max(0, rows.findIndex((row) => row.id === current));

  useLayoutEffect(() => {
    if (!moved.current) return;
    moved.current = false;
    tree.current?.querySelector<HTMLElement>("[tabindex='0']")?.focus();
  }, [current, open]);

  const move = (id: string | null | undefined): void => {
    if (id === null || id === undefined) return;
    moved.current = true;
    setCurrent(id);
  };
  const turn = (row: TreeRow, opened = !row.open): void => {
    if (!row.branch) return;
    const next = new Set(open);
    if (opened) next.add(row.id);
    else next.delete(row.id);
    moved.current = true;
    setCurrent(row.id);
    setOpen(next);
  };
  const take = (event: KeyboardEvent): void => {
    const row = rows[at];
    if (!row || isModified(event)) return;
    const acts: Record<string, () => void> = {
      ArrowDown: () => move(rows[at + 1]?.id),
      ArrowUp: () => move(rows[at - 1]?.id),
      ArrowRight: () => (row.branch && !row.open ? turn(row, true) : row.open ? move(rows[at + 1]?.id) : undefined),
      ArrowLeft: () => (row.open ? turn(row, false) : move(parentOf(row.id))),
      Home: () => move(rows[0]?.id),
      End: () => move(rows.at(-1)?.id),
      Enter: () => turn(row),
      " ": () => turn(row),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  return (
    <div class="json">
      <div class="preview-tools">
        <button onClick={() => setOpen(everyBranch(value))}>Open all</button>
        <button onClick={() => setOpen(new Set([ROOT]))}>Close all</button>
      </div>
      <div class="json-tree" role="tree" aria-label={label} ref={tree} onKeyDown={take}>
        {rows.map((row, index) => (
          <div
            key={row.id}
            class="json-row"
            role="treeitem"
            aria-level={row.depth + 1}
            aria-expanded={row.branch ? row.open : undefined}
            tabIndex={index === at ? 0 : -1}
            style={{ paddingLeft: `${row.depth * 16 + 4}px` }}
            onClick={() => (row.branch ? turn(row) : move(row.id))}
          >
            <span class="json-turn" aria-hidden="true">
              {row.branch ? (row.open ? "▾" : "▸") : ""}
            </span>
            {row.name === null ? null : <span class="json-name">{row.name}: </span>}
            <span class={`json-${row.kind}`}>{row.text}</span>
          </div>
        ))}
      </div>
    </div>
  );
}
