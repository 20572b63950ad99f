// A run over time: bars in lanes without overlap, the marks of the axis, and what a part of it shows.
import type { Phase, Run, RunStage } from "../../api/types.ts";

export interface Bar {
  key: string;
  kind: "phase" | "stage";
  label: string;
  state: string;
  address: string | null;
  start: number;
  end: number;
  lane: number;
  facts: string[];
}

export interface Lanes {
  bars: Bar[];
  count: number;
}

/** A part of the run, in seconds after it began. */
export interface Span {
  from: number;
  to: number;
}

type Loose = Omit<Bar, "lane">;

/** The bars of the command's own phases, and those of the stages; what has not ended lasts until now. */
export function lanesOf(run: Run, now: number): { phases: Lanes; stages: Lanes; whole: number } {
  const phases = inLanes((run.phases ?? []).map((phase, index) => phaseBar(phase, index, now)));
  const worked = run.stages.filter((stage) => stage.began !== null && (stage.seconds !== null || isOpen(stage)));
  const stages = inLanes(worked.map((stage, index) => stageBar(stage, index, now)));
  const ends = [...phases.bars, ...stages.bars].map((bar) => bar.end);
  return { phases, stages, whole: Math.max(1e-3, run.seconds ?? 0, ends.reduce((most, end) => Math.max(most, end), 0)) };
}

const isOpen = (stage: RunStage): boolean => stage.state === "running" || stage.state === "interrupted";

function phaseBar(phase: Phase, index: number, now: number): Loose {
  const longest = Object.entries(phase.libraries)
    .sort((left, right) => right[1] - left[1])
    .slice(0, 3)
    .map(([name, part]) => `${name} ${part.toFixed(1)}s`);
  return {
    key: `phase ${index}`,
    kind: "phase",
    label: phase.of ? `${phase.phase} ${phase.of}` : phase.phase,
    state: phase.phase,
    address: null,
    start: phase.began,
    end: Math.max(phase.began, phase.seconds === null ? now : phase.began + phase.seconds),
    facts: longest.length ? [longest.join(", ")] : [],
  };
}

function stageBar(stage: RunStage, index: number, now: number): Loose {
  const start = stage.began ?? 0;
  return {
    key: `stage ${index}`,
    kind: "stage",
    label: stage.name,
    state: stage.state,
    address: stage.address,
    start,
    end: Math.max(start, isOpen(stage) || stage.seconds === null ? now : start + stage.seconds),
    facts: [whyOf(stage), stage.worker ? `on ${stage.worker}` : ""].filter(Boolean),
  };
}

/** The error of a stage, else why it ran, in one line. */
export function whyOf(stage: RunStage): string {
  const first = stage.reasons[0];
  if (stage.problem || first === undefined) return stage.problem;
  const keys = stage.changes.filter((change) => change.reason === first).map((change) => change.key);
  return keys.length ? `${first}: ${keys.join(", ")}` : first;
}

/** "train.rate=1, split.seed=2" as "rate=1, seed=2", unless two stages have a parameter of that name. */
export function shortCombination(text: string): string {
  const names: string[] = [];
  const short = text.replace(/(^|, )[^=,\s]*\.([\w-]+)=/g, (_, before: string, name: string) => (names.push(name), `${before}${name}=`));
  return new Set(names).size === names.length ? short : text;
}

/** Each bar in the first lane that is free when it begins. */
export function inLanes(bars: readonly Loose[]): Lanes {
  const free: number[] = [];
  const placed = [...bars]
    .sort((left, right) => left.start - right.start || left.end - right.end)
    .map((bar) => {
      const found = free.findIndex((until) => until <= bar.start);
      const lane = found < 0 ? free.length : found;
      free[lane] = bar.end;
      return { ...bar, lane };
    });
  return { bars: placed, count: free.length };
}

const STEPS = [...[-3, -2, -1, 0].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power)), 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

/** The seconds to mark: whole steps, each with this much room in pixels. */
export function ticks(span: Span, width: number, room = 90): number[] {
  const least = ((span.to - span.from) * room) / Math.max(width, 1);
  const step = STEPS.find((each) => each >= least) ?? Math.ceil(least / 86400) * 86400;
  const marks: number[] = [];
  for (let index = Math.ceil(span.from / step - 1e-9); index * step <= span.to + 1e-9 && marks.length < 200; index++)
    marks.push(Number((index * step).toPrecision(12)));
  return marks;
}

/** The text of a mark: 0, 250ms, 1.5s, 2m 30s, 1h 05m. */
export function tickText(value: number): string {
  if (value === 0) return "0";
  if (value < 1) return `${Number((value * 1000).toPrecision(4))}ms`;
  if (value < 60) return `${Number(value.toPrecision(4))}s`;
  const whole = Math.round(value);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (part: number): string => String(part).padStart(2, "0");
  if (hours) return `${hours}h ${two(minutes)}m`;
  return rest ? `${minutes}m ${two(rest)}s` : `${minutes}m`;
}

/** A bar on the screen, in pixels; where its name is, and whether there is room for it. */
export interface Drawn {
  bar: Bar;
  left: number;
  width: number;
  name: "inside" | "beside" | "none";
}

const LEAST = 3;
const LETTER = 6.7;
const SIGN = 18;

/** The bars of a span in so many pixels; of those that would share a pixel of a lane, one. */
export function drawn(lanes: Lanes, span: Span, width: number): Drawn[] {
  const scale = width / Math.max(span.to - span.from, 1e-9);
  const found: Drawn[] = [];
  const before: (Drawn | undefined)[] = [];
  for (const bar of lanes.bars) {
    if (bar.end < span.from || bar.start > span.to) continue;
    const left = (Math.max(bar.start, span.from) - span.from) * scale;
    const right = (Math.min(bar.end, span.to) - span.from) * scale;
    const last = before[bar.lane];
    if (last && right <= last.left + last.width && left - last.left < 1) continue;
    const item: Drawn = { bar, left, width: Math.max(LEAST, right - left), name: "none" };
    if (last) nameOf(last, left - last.left - last.width);
    before[bar.lane] = item;
    found.push(item);
  }
  for (const last of before) if (last) nameOf(last, width - last.left - last.width);
  return found;
}

function nameOf(item: Drawn, gap: number): void {
  const needed = item.bar.label.length * LETTER + (item.bar.kind === "stage" ? SIGN : 0) + 10;
  if (needed <= item.width || item.width > 56) item.name = "inside";
  else if (needed + 6 <= gap) item.name = "beside";
}

/** A span that is so many times as long, with one moment where it was; never beyond the run. */
export function zoomed(span: Span, factor: number, at: number, whole: number): Span {
  const length = Math.min(whole, Math.max((span.to - span.from) * factor, whole / 5000, 1e-3));
  const share = (at - span.from) / Math.max(span.to - span.from, 1e-9);
  return within(at - share * length, length, whole);
}

/** A span that is moved by a part of its length; never beyond the run. */
export function moved(span: Span, part: number, whole: number): Span {
  const length = span.to - span.from;
  return within(span.from + part * length, length, whole);
}

function within(from: number, length: number, whole: number): Span {
  const start = Math.max(0, Math.min(from, whole - length));
  return { from: start, to: start + length };
}
