// Draws parallel coordinates: dragging along an axis or its arrow keys choose a part of it, a click or Delete all of it again.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Axis, isLogarithmic, titleLines } from "./axes.ts";
import { type ResultRow, type Wish, type Wishes, wishText } from "./columns.ts";
import { axisMarks, colourAt, nearestRow, NONE, partAfter, partsOf, pathOf, placeOn } from "./parallel.ts";

interface ParallelProps {
  axes: readonly Axis[];
  rows: readonly ResultRow[];
  wanted: ReadonlySet<number>;
  wishes: Wishes;
  colour: Axis | null;
  lit: number | null;
  onWish: (axis: Axis, from: number | null, to: number) => void;
  onLight: (row: number | null) => void;
  onOpen: (row: number) => void;
}

const [TOP, HIGH, BOTTOM] = [52, 230, 38];
const SIDE = 70;
const LETTER = 7.2;

export function Parallel(props: ParallelProps): JSX.Element {
  const { axes, rows, lit } = props;
  const [box, width] = useRoom(axes.length);
  const x = (index: number): number => SIDE + (axes.length < 2 ? 0.5 : index / (axes.length - 1)) * (width - 2 * SIDE);
  const row = lit === null ? null : (rows[lit] ?? null);
  const find = (event: PointerEvent): ResultRow | null => {
    const place = (event.currentTarget as Element).getBoundingClientRect();
    const at = { x: ((event.clientX - place.left - SIDE) / Math.max(1, width - 2 * SIDE)) * (axes.length - 1), y: (event.clientY - place.top - TOP) / HIGH };
    const seen = rows.filter((each) => props.wanted.has(each.index));
    return at.y < -0.05 || at.y > NONE + 0.05 ? null : nearestRow(axes, seen, at, 0.04);
  };
  return (
    <div class="parallel" ref={box}>
      <svg
        width={width}
        height={TOP + HIGH + BOTTOM}
        role="group"
        aria-label={`${props.wanted.size} of ${rows.length} results as lines through ${axes.map((axis) => axis.title).join(", ")}`}
        onPointerMove={(event) => event.buttons === 0 && props.onLight(find(event)?.index ?? null)}
        onPointerLeave={() => props.onLight(null)}
        onClick={() => row && props.onOpen(row.index)}
      >
        <Lines {...props} width={width} x={x} />
        {row ? <path class="line lit" d={pathOf(axes, row, x, y)} stroke={colourOf(props.colour, row)} /> : null}
        {axes.map((axis, index) => (
          <AxisDrawn key={axis.key} axis={axis} x={x(index)} wishes={props.wishes} onWish={props.onWish} room={(width - 2 * SIDE) / Math.max(1, axes.length - 1)} />
        ))}
      </svg>
    </div>
  );
}

const y = (place: number): number => TOP + place * HIGH;

function colourOf(axis: Axis | null, row: ResultRow): string {
  if (axis === null) return "var(--accent)";
  const place = placeOn(axis, row.cells.get(axis.key));
  return place === NONE ? "var(--faint)" : colourAt(1 - place);
}

/** The lines, those that are not wanted below the others. */
function Lines({ axes, rows, wanted, colour, width, x }: ParallelProps & { width: number; x: (index: number) => number }): JSX.Element {
  return useMemo(() => {
    const line = (row: ResultRow, kind: string): JSX.Element => (
      <path key={row.index} class={kind} d={pathOf(axes, row, x, y)} stroke={kind === "line" ? colourOf(colour, row) : undefined} />
    );
    return (
      <g class={rows.length > 150 ? "many" : undefined}>
        {rows.filter((row) => !wanted.has(row.index)).map((row) => line(row, "line out"))}
        {rows.filter((row) => wanted.has(row.index)).map((row) => line(row, "line"))}
      </g>
    );
  }, [axes, rows, wanted, colour, width]);
}

interface AxisProps {
  axis: Axis;
  x: number;
  room: number;
  wishes: Wishes;
  onWish: ParallelProps["onWish"];
}

function AxisDrawn({ axis, x, room, wishes, onWish }: AxisProps): JSX.Element {
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const wish = wishes.get(axis.key);
  const parts = drag ? [{ from: Math.min(...drag), to: Math.max(...drag) }] : wish ? partsOf(axis, wish) : [];
  const begin = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    event.preventDefault();
    const top = ((event.currentTarget as Element).closest("svg") as Element).getBoundingClientRect().top;
    const at = (said: PointerEvent): number => Math.max(0, Math.min(1, (said.clientY - top - TOP) / HIGH));
    const start = at(event);
    let now: [number, number] | null = null;
    const move = (said: PointerEvent): void => {
      now = Math.abs(at(said) - start) > 0.02 ? [start, at(said)] : null;
      setDrag(now);
    };
    const end = (): void => {
      removeEventListener("pointermove", move);
      setDrag(null);
      if (now) onWish(axis, ...now);
      else onWish(axis, null, 0);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end, { once: true });
  };
  const press = (event: KeyboardEvent): void => {
    const part = partAfter(axis, wish, event.key, event.shiftKey);
    if (part) onWish(axis, ...part);
    else if (event.key === "Delete" || event.key === "Backspace") onWish(axis, null, 0);
    else return;
    event.preventDefault();
  };
  const letters = Math.max(6, Math.floor(Math.min(room - 10, 190) / LETTER));
  const cut = (text: string): string => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text);
  return (
    <g class="axis">
      <Title axis={axis} x={x} letters={letters} />
      <line x1={x} x2={x} y1={TOP} y2={TOP + HIGH} />
      {axis.missing ? <line class="none" x1={x - 5} x2={x + 5} y1={y(NONE)} y2={y(NONE)} /> : null}
      {axisMarks(axis).map(({ place, text }) => (
        <text key={place} class="mark" x={x + 6} y={y(place) + 4}>
          {cut(text)}
        </text>
      ))}
      {parts.map(({ from, to }) => (
        <rect key={from} class="brush" x={x - 7} width={14} y={y(from)} height={Math.max(3, (to - from) * HIGH)} rx={3} />
      ))}
      <rect
        class="handle"
        x={x - 12}
        width={24}
        y={TOP - 8}
        height={HIGH + 16}
        rx={4}
        tabindex={0} // in lower case, since this is SVG
        role="button"
        aria-label={`${wishedText(axis, wish)}; arrow up and down choose a part of it, with Shift more again, Delete all`}
        onKeyDown={press}
        onPointerDown={begin}
        onClick={(event) => event.stopPropagation()}
      >
        <title>{`${wishedText(axis, wish)}: drag to choose a part, click for all`}</title>
      </rect>
    </g>
  );
}

const wishedText = (axis: Axis, wish: Wish | undefined): string => (wish ? wishText(axis.title, wish) : axis.title);

function Title({ axis, x, letters }: { axis: Axis; x: number; letters: number }): JSX.Element {
  const lines = titleLines(axis.title, letters);
  const notes = [isLogarithmic(axis) ? "log" : "", axis.alike.length ? `and ${axis.alike.length} alike` : ""].filter(Boolean).join(", ");
  return (
    <>
      <text class="title" x={x} y={notes ? 12 : lines.length > 1 ? 18 : 28}>
        <title>{[axis.title, ...axis.alike].join("\n")}</title>
        {lines.map((line, index) => (
          <tspan key={index} x={x} dy={index ? 14 : 0}>
            {line}
          </tspan>
        ))}
      </text>
      {notes ? (
        <text class="note" x={x} y={lines.length > 1 ? 39 : 26}>
          {notes}
        </text>
      ) : null}
    </>
  );
}

/** The width of the drawing: that of its place, and room for each axis. */
function useRoom(count: number): [box: { current: HTMLDivElement | null }, width: number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(900);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const seen = new ResizeObserver(() => setWidth(element.clientWidth));
    seen.observe(element);
    return () => seen.disconnect();
  }, []);
  return [box, Math.max(width, 2 * SIDE + (count - 1) * 64)];
}
