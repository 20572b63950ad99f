// Two versions of a text, side by side; one below the other where the place is narrow.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { diffLines, type DiffRow, firstLine, folded, type Line } from "./diff_lines.ts";
import { counted } from "./formats.ts";

interface Props {
  left: string;
  right: string;
  titles: [left: string, right: string];
  /** The line in the file where the right one is; null if that is not known. The lines of the left one count from 1. */
  line?: number | null;
}

export function SideBySide({ left, right, titles, line = null }: Props): JSX.Element {
  const folds = useMemo(() => folded(diffLines(left, right)), [left, right]);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const first = firstLine(right, line) ?? 1;
  return (
    <div class="diff" role="table" aria-label={`${titles[0]} and ${titles[1]}`}>
      <div class="diff-row diff-titles" role="row">
        <div role="columnheader">{titles[0]}</div>
        <div role="columnheader">{titles[1]}</div>
      </div>
      {folds.map((fold, at) =>
        "rows" in fold || open.has(at) ? (
          ("rows" in fold ? fold.rows : fold.hidden).map((row) => <Row key={keyOf(row)} row={row} first={first} />)
        ) : (
          <button key={`fold-${at}`} class="diff-fold" onClick={() => setOpen(new Set([...open, at]))}>
            {counted(fold.hidden.length, "line")} the same
          </button>
        ),
      )}
    </div>
  );
}

const keyOf = (row: DiffRow): string => `${row.left?.at ?? ""}:${row.right?.at ?? ""}`;

function Row({ row, first }: { row: DiffRow; first: number }): JSX.Element {
  return (
    <div class={row.same ? "diff-row same" : "diff-row"} role="row">
      <Side line={row.left} tone={row.same ? "" : "removed"} sign={row.same ? "" : "−"} number={row.left ? String(1 + row.left.at) : ""} />
      <Side line={row.right} tone={row.same ? "" : "added"} sign={row.same ? "" : "+"} number={row.right ? String(first + row.right.at) : ""} />
    </div>
  );
}

function Side({ line, tone, sign, number }: { line: Line | null; tone: string; sign: string; number: string }): JSX.Element {
  return (
    <div class={line ? `diff-side ${tone}` : "diff-side nothing"} role="cell">
      <span class="diff-number">{number}</span>
      <span class="diff-sign">{line ? sign : ""}</span>
      <code>{line?.pieces.map((piece, at) => (piece.changed ? <mark key={at}>{piece.text}</mark> : <span key={at}>{piece.text}</span>))}</code>
    </div>
  );
}
