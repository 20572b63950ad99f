// Draws a run over time; dragging over a part of it, or the keys + and -, show that part larger.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Run } from "../../api/types.ts";
import { seconds } from "../../parts/formats.ts";
import { isModified } from "../../parts/keys.ts";
import { Sign, toneOf } from "../../parts/signs.tsx";
import { place } from "../../routes.ts";
import { type Bar, type Drawn, drawn, type Lanes, lanesOf, moved, type Span, ticks, tickText, zoomed } from "./timeline.ts";

const LANE = 24;
/** Beyond these, the keyboard reaches the stages in the table alone. */
const FEW = 40;

export function Timeline({ run, now }: { run: Run; now: number }): JSX.Element | null {
  const { phases, stages, whole } = lanesOf(run, now);
  const [chosen, setChosen] = useState<Span | null>(null);
  const [shown, setShown] = useState<Bar | null>(null);
  const [box, width] = useWidth();
  const span = chosen ?? { from: 0, to: whole };
  const zoom = (factor: number, at = (span.from + span.to) / 2): void => {
    const next = zoomed(span, factor, at, whole);
    setChosen(next.to - next.from >= whole * 0.999 ? null : next);
  };
  const drag = useDrag(box, width, (from, to) => {
    const at = (px: number): number => span.from + (px / width) * (span.to - span.from);
    setChosen(zoomed({ from: at(from), to: at(to) }, 1, at(from), whole));
  });
  const press = (event: KeyboardEvent): void => {
    const acts: Record<string, () => void> = {
      "+": () => zoom(1 / 1.6),
      "=": () => zoom(1 / 1.6),
      "-": () => zoom(1.6),
      "0": () => setChosen(null),
      ArrowLeft: () => setChosen(chosen && moved(chosen, -0.25, whole)),
      ArrowRight: () => setChosen(chosen && moved(chosen, 0.25, whole)),
    };
    const act = acts[event.key];
    if (!act || isModified(event)) return;
    event.preventDefault();
    act();
  };
  if (phases.bars.length + stages.bars.length === 0) return null;
  return (
    <section class="timeline" aria-label="Timeline">
      <div class="toolbar">
        <h3>Timeline</h3>
        <span class="controls">
          <button title="Larger (+)" aria-label="Larger" onClick={() => zoom(1 / 1.6)}>+</button>
          <button title="Smaller (-)" aria-label="Smaller" disabled={!chosen} onClick={() => zoom(1.6)}>−</button>
          <button title="All of it (0)" disabled={!chosen} onClick={() => setChosen(null)}>All</button>
          <button aria-label="Earlier" title="Earlier (←)" disabled={!chosen} onClick={() => setChosen(chosen && moved(chosen, -0.25, whole))}>←</button>
          <button aria-label="Later" title="Later (→)" disabled={!chosen} onClick={() => setChosen(chosen && moved(chosen, 0.25, whole))}>→</button>
        </span>
        <span class="faint">drag over a part to show it larger</span>
      </div>
      <div class="lanes" ref={box} onKeyDown={press} onPointerDown={drag.begin} tabIndex={0} role="group" aria-label="The run over time; + and - zoom, arrows move">
        <Marks span={span} width={width} />
        <Group title="Pivot" lanes={phases} span={span} width={width} onShow={setShown} />
        <Group title="Stages" lanes={stages} span={span} width={width} onShow={setShown} />
        {drag.area ? <div class="area" style={{ left: `${drag.area[0]}px`, width: `${drag.area[1] - drag.area[0]}px` }} /> : null}
      </div>
      <p class="bar-facts" aria-live="polite">
        {shown ? <Facts bar={shown} /> : <span class="faint">Point at a bar for its times.</span>}
      </p>
    </section>
  );
}

function Facts({ bar }: { bar: Bar }): JSX.Element {
  const times = `${bar.state === "running" ? "so far" : "took"} ${seconds(bar.end - bar.start)}, began at ${seconds(bar.start)}`;
  return (
    <>
      <b>{bar.label}</b> {bar.kind === "stage" ? `${bar.state.replace("_", " ")}, ` : ""}
      {[times, ...bar.facts].join("; ")}
    </>
  );
}

function Marks({ span, width }: { span: Span; width: number }): JSX.Element {
  const marks = ticks(span, width);
  const left = (value: number): string => `${((value - span.from) / (span.to - span.from)) * width}px`;
  return (
    <div class="marks" aria-hidden="true">
      {marks.map((mark) => (
        <span key={mark} style={{ left: left(mark) }}>
          {tickText(mark)}
        </span>
      ))}
    </div>
  );
}

interface GroupProps {
  title: string;
  lanes: Lanes;
  span: Span;
  width: number;
  onShow: (bar: Bar | null) => void;
}

function Group({ title, lanes, span, width, onShow }: GroupProps): JSX.Element | null {
  const [place, setPlace] = useState(0);
  if (lanes.count === 0) return null;
  const high = lanes.count * LANE;
  const first = Math.floor(place / LANE) - 4;
  const bars = drawn(lanes, span, width).filter(({ bar }) => bar.lane >= first && bar.lane < first + 40);
  return (
    <>
      <h4>{title}</h4>
      <div class="lane-box" onScroll={(event) => setPlace(event.currentTarget.scrollTop)}>
        <div class="lane-room" style={{ height: `${high}px` }}>
          {bars.map((item) => (
            <BarBox key={item.bar.key} item={item} tab={bars.length > FEW ? -1 : 0} onShow={onShow} />
          ))}
        </div>
      </div>
    </>
  );
}

function BarBox({ item, tab, onShow }: { item: Drawn; tab: number; onShow: (bar: Bar | null) => void }): JSX.Element {
  const { bar, left, width } = item;
  const show = { onMouseEnter: () => onShow(bar), onFocus: () => onShow(bar) };
  const style = { left: `${left}px`, width: `${width}px`, top: `${bar.lane * LANE + 2}px` };
  const label = `${bar.label}, ${bar.state.replace("_", " ")}, ${seconds(bar.end - bar.start)}`;
  const name = item.name === "none" ? null : <BarName bar={bar} />;
  if (bar.address === null)
    return (
      <span class={`bar phase ${item.name}`} style={style} tabIndex={tab} role="img" aria-label={label} {...show}>
        {name}
      </span>
    );
  return (
    <a class={`bar ${toneOf(bar.state)} ${item.name}`} style={style} href={place("stage", [bar.address, "log"])} draggable={false} tabIndex={tab} aria-label={label} {...show}>
      {name}
    </a>
  );
}

function BarName({ bar }: { bar: Bar }): JSX.Element {
  return (
    <span class="bar-name">
      {bar.kind === "stage" ? <Sign state={bar.state} /> : null}
      <span>{bar.label}</span>
    </span>
  );
}

function useWidth(): [box: { current: HTMLDivElement | null }, width: number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(800);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const seen = new ResizeObserver(() => setWidth(Math.max(100, element.clientWidth)));
    seen.observe(element);
    return () => seen.disconnect();
  }, [box.current === null]);
  return [box, width];
}

/** A drag over the timeline; a shorter one is a click. */
function useDrag(box: { current: HTMLDivElement | null }, width: number, onChoose: (from: number, to: number) => void) {
  const [area, setArea] = useState<[number, number] | null>(null);
  const begin = (event: PointerEvent): void => {
    const element = box.current;
    if (!element || event.button !== 0) return;
    const origin = element.getBoundingClientRect().left;
    const at = (said: PointerEvent): number => Math.max(0, Math.min(width, said.clientX - origin));
    const start = at(event);
    let now: [number, number] | null = null;
    const move = (said: PointerEvent): void => {
      const end = at(said);
      now = Math.abs(end - start) > 5 ? [Math.min(start, end), Math.max(start, end)] : null;
      setArea(now);
    };
    const end = (): void => {
      removeEventListener("pointermove", move);
      removeEventListener("pointercancel", end);
      setArea(null);
      if (now === null) return;
      onChoose(...now);
      const still = (said: Event): void => said.preventDefault(); // the click that ends a drag on a bar leads nowhere
      addEventListener("click", still, { capture: true, once: true });
      setTimeout(() => removeEventListener("click", still, { capture: true }));
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end, { once: true });
    addEventListener("pointercancel", end, { once: true });
  };
  return { area, begin };
}
