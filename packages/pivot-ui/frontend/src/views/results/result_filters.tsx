// The wishes of each column as inputs, and which columns are shown.
import type { JSX } from "preact";
import { Popover } from "../../parts/popover.tsx";
import { type ResultColumn, type ResultRow, textOf, type Wish, type Wishes } from "./columns.ts";

interface FiltersProps {
  columns: readonly ResultColumn[];
  rows: readonly ResultRow[];
  wishes: Wishes;
  onWish: (key: string, wish: Wish | null) => void;
}

const MOST_TEXTS = 40;

export function Filters({ columns, rows, wishes, onWish }: FiltersProps): JSX.Element {
  return (
    <Popover title={`Filter${wishes.size ? ` (${wishes.size})` : ""}`}>
      <div class="filters">
        {columns
          .filter((column) => !column.constant)
          .map((column) =>
            column.numeric ? (
              <RangeInputs key={column.key} column={column} wish={wishes.get(column.key)} onWish={onWish} />
            ) : (
              <TextChoices key={column.key} column={column} rows={rows} wish={wishes.get(column.key)} onWish={onWish} />
            ),
          )}
      </div>
    </Popover>
  );
}

interface InputProps {
  column: ResultColumn;
  wish: Wish | undefined;
  onWish: FiltersProps["onWish"];
}

function RangeInputs({ column, wish, onWish }: InputProps): JSX.Element {
  const range = wish?.kind === "range" ? wish : { kind: "range" as const, least: null, most: null };
  const limit = (text: string): number | null => (text.trim() === "" || Number.isNaN(Number(text)) ? null : Number(text));
  return (
    <fieldset>
      <legend title={column.name}>{column.name}</legend>
      <input
        type="number"
        step="any"
        placeholder="least"
        aria-label={`${column.name}, at least`}
        value={range.least ?? ""}
        onChange={(event) => onWish(column.key, { ...range, least: limit(event.currentTarget.value) })}
      />
      <span aria-hidden="true">–</span>
      <input
        type="number"
        step="any"
        placeholder="most"
        aria-label={`${column.name}, at most`}
        value={range.most ?? ""}
        onChange={(event) => onWish(column.key, { ...range, most: limit(event.currentTarget.value) })}
      />
    </fieldset>
  );
}

function TextChoices({ column, rows, wish, onWish }: InputProps & { rows: readonly ResultRow[] }): JSX.Element {
  const texts = [...new Set(rows.map((row) => textOf(row.cells.get(column.key))))].sort().slice(0, MOST_TEXTS);
  const chosen = wish?.kind === "choice" ? wish.texts : new Set<string>();
  const turn = (text: string, on: boolean): void => {
    const others = [...chosen].filter((each) => each !== text);
    onWish(column.key, { kind: "choice", texts: new Set(on ? [...others, text] : others) });
  };
  return (
    <fieldset>
      <legend title={column.name}>{column.name}</legend>
      {texts.map((text) => (
        <label key={text} class="check">
          <input type="checkbox" checked={chosen.has(text)} onChange={(event) => turn(text, event.currentTarget.checked)} />
          <span title={text}>{text || "none"}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface ColumnChoiceProps {
  columns: readonly ResultColumn[];
  hidden: ReadonlySet<string>;
  onHide: (hidden: ReadonlySet<string>) => void;
}

export function ColumnChoice({ columns, hidden, onHide }: ColumnChoiceProps): JSX.Element {
  const turn = (key: string, shown: boolean): void => {
    const others = [...hidden].filter((each) => each !== key);
    onHide(new Set(shown ? others : [...others, key]));
  };
  return (
    <Popover title={`Columns${hidden.size ? ` (${hidden.size} hidden)` : ""}`}>
      <div class="filters columns">
        {columns.map((column) => (
          <label key={column.key} class="check">
            <input type="checkbox" checked={!hidden.has(column.key)} onChange={(event) => turn(column.key, event.currentTarget.checked)} />
            <span title={column.name}>{column.name}</span>
            <span class="faint">{column.kind}</span>
          </label>
        ))}
      </div>
    </Popover>
  );
}
