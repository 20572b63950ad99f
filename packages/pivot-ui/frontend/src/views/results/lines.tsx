// Parallel coordinates with their choices: the axes, their scales, and the colours of the lines.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { Popover } from "../../parts/popover.tsx";
import { type Axis, type AxisChoice, canBeLogarithmic, chosenAxes, possibleAxes, usualAxes } from "./axes.ts";
import type { ResultColumn, ResultRow, Wish, Wishes } from "./columns.ts";
import { wishOn } from "./parallel.ts";
import { Parallel } from "./parallel_view.tsx";

interface LinesProps {
  rows: readonly ResultRow[];
  columns: readonly ResultColumn[];
  wanted: readonly ResultRow[];
  wishes: Wishes;
  onWish: (key: string, wish: Wish | null) => void;
  lit: number | null;
  onLight: (row: number | null) => void;
  onOpen: (row: number) => void;
}

export function Lines({ rows, columns, wanted, wishes, onWish, lit, onLight, onOpen }: LinesProps): JSX.Element | null {
  const [open, setOpen] = useState(true);
  const [colourBy, setColourBy] = useState<string | null>(null);
  const [choice, setChoice] = useState<AxisChoice>({ shown: null, log: new Map() });
  const all = useMemo(() => possibleAxes(columns, rows, choice.log), [columns, rows, choice.log]);
  const axes = useMemo(() => chosenAxes(all, choice.shown), [all, choice.shown]);
  const indexes = useMemo(() => new Set(wanted.map((row) => row.index)), [wanted]);
  if (all.length < 2) return null;
  const numeric = all.filter((axis) => axis.numeric);
  const metric = numeric.find((axis) => axis.key.startsWith("metric:"));
  const colour = numeric.find((axis) => axis.key === colourBy) ?? metric ?? null;
  const choose = (axis: Axis, from: number | null, to: number): void => onWish(axis.key, from === null ? null : wishOn(axis, from, to));
  return (
    <section class="lines" aria-label="Parallel coordinates">
      <div class="toolbar">
        <button aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "▾" : "▸"} Parallel coordinates
        </button>
        {open ? (
          <>
            <ColourChoice axes={numeric} colour={colour} onChoose={setColourBy} />
            <span class="faint">low to high; drag along an axis to choose a part of it</span>
            <AxisChooser all={all} axes={axes} choice={choice} onChoose={setChoice} />
          </>
        ) : null}
      </div>
      {open ? <Parallel axes={axes} rows={rows} wanted={indexes} wishes={wishes} colour={colour} lit={lit} onWish={choose} onLight={onLight} onOpen={onOpen} /> : null}
    </section>
  );
}

function ColourChoice({ axes, colour, onChoose }: { axes: readonly Axis[]; colour: Axis | null; onChoose: (key: string) => void }): JSX.Element | null {
  if (colour === null) return null;
  return (
    <>
      <label>
        colour by{" "}
        <select value={colour.key} onChange={(event) => onChoose(event.currentTarget.value)}>
          {axes.map((axis) => (
            <option key={axis.key} value={axis.key}>
              {axis.title}
            </option>
          ))}
        </select>
      </label>
      <span class="ramp" aria-hidden="true" />
    </>
  );
}

interface ChooserProps {
  all: readonly Axis[];
  axes: readonly Axis[];
  choice: AxisChoice;
  onChoose: (choice: AxisChoice) => void;
}

function AxisChooser({ all, axes, choice, onChoose }: ChooserProps): JSX.Element {
  const shown = new Set(axes.map((axis) => axis.key));
  const turn = (key: string, on: boolean): void => {
    const others = [...shown].filter((each) => each !== key);
    onChoose({ ...choice, shown: new Set(on ? [...others, key] : others) });
  };
  const scale = (key: string, log: boolean): void => onChoose({ ...choice, log: new Map([...choice.log, [key, log]]) });
  const usual = usualAxes(all).length === axes.length && choice.shown === null && choice.log.size === 0;
  return (
    <Popover title={`Axes (${axes.length} of ${all.length})`}>
      <div class="filters axes">
        {all.map((axis) => (
          <div key={axis.key}>
            <label class="check">
              <input type="checkbox" checked={shown.has(axis.key)} onChange={(event) => turn(axis.key, event.currentTarget.checked)} />
              <span title={[axis.title, ...axis.alike].join("\n")}>{axis.title}</span>
              {axis.alike.length ? <span class="faint">and {axis.alike.length} alike</span> : null}
            </label>
            {canBeLogarithmic(axis) ? (
              <label class="check">
                <input type="checkbox" checked={axis.log} aria-label={`${axis.title} on a logarithmic scale`} onChange={(event) => scale(axis.key, event.currentTarget.checked)} />
                <span>log</span>
              </label>
            ) : null}
          </div>
        ))}
        <button disabled={usual} onClick={() => onChoose({ shown: null, log: new Map() })}>
          As usual
        </button>
      </div>
    </Popover>
  );
}
