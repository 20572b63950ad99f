// The lines of a log: searched, wrapped, and kept at the end while it grows, unless the reader has scrolled up.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { counted } from "../../parts/formats.ts";
import { type LogLine, type LogText, splitBy, textOf } from "./ansi.ts";

/** Lines that the browser lays out together, only when they come into view. */
const BLOCK = 200;

interface Props {
  log: LogText;
  /** Grows with the log, which is the same object. */
  count: number;
  follows: boolean;
}

export function LogLines({ log, count, follows }: Props): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [wanted, setWanted] = useState("");
  const [found, setFound] = useState(-1);
  const [wrap, setWrap] = useState(true);
  const hits = useMemo(() => (wanted ? log.lines.filter((line) => splitBy(textOf(line), wanted).length > 1) : []), [log, count, wanted]);
  useEffect(() => {
    const box = place.current;
    if (box && follows && atEnd.current) box.scrollTop = box.scrollHeight;
  }, [log, count, follows]);
  const jump = (step: number): void => {
    if (!hits.length) return;
    const next = (found + step + hits.length) % hits.length;
    setFound(next);
    const block = place.current?.querySelector(`[data-line="${hits[next]?.number}"]`);
    block?.scrollIntoView({ block: "center" });
  };
  return (
    <>
      <div class="preview-tools">
        <input
          type="search"
          placeholder="Search in the log"
          aria-label="Search in the log"
          value={wanted}
          onInput={(event) => (setWanted(event.currentTarget.value), setFound(-1))}
          onKeyDown={(event) => (event.key === "Enter" ? jump(event.shiftKey ? -1 : 1) : undefined)}
        />
        {wanted ? (
          <>
            <button onClick={() => jump(-1)} disabled={!hits.length}>
              Previous
            </button>
            <button onClick={() => jump(1)} disabled={!hits.length}>
              Next
            </button>
            <span class="faint" role="status">
              {found >= 0 ? `${found + 1} of ${counted(hits.length, "line")}` : counted(hits.length, "line")}
            </span>
          </>
        ) : null}
        <span class="log-buttons">
          <button aria-pressed={wrap} onClick={() => setWrap(!wrap)}>
            Wrap
          </button>
          <Copy log={log} />
        </span>
      </div>
      <div
        ref={place}
        class={wrap ? "log-text wrap" : "log-text"}
        tabIndex={0}
        role="log"
        aria-label="Log"
        aria-live="off"
        onScroll={(event) => {
          const box = event.currentTarget;
          atEnd.current = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
        }}
      >
        {log.dropped ? <p class="faint">{counted(log.dropped, "line")} above this are not shown</p> : null}
        {log.lines.length ? null : <p class="faint">It has printed nothing{follows ? " yet" : ""}.</p>}
        <Blocks log={log} wanted={wanted} current={hits[found]?.number ?? -1} />
      </div>
    </>
  );
}

function Blocks({ log, wanted, current }: { log: LogText; wanted: string; current: number }): JSX.Element {
  const blocks = new Map<number, LogLine[]>();
  for (const line of log.lines) {
    const block = Math.floor(line.number / BLOCK);
    const lines = blocks.get(block);
    if (lines) lines.push(line);
    else blocks.set(block, [line]);
  }
  return (
    <>
      {[...blocks].map(([number, lines]) => (
        <div key={number} class="log-block" style={{ containIntrinsicSize: `auto ${lines.length * 19}px` }}>
          {lines.map((line) => (
            <Line key={line.number} line={line} wanted={wanted} current={line.number === current} />
          ))}
        </div>
      ))}
    </>
  );
}

function Line({ line, wanted, current }: { line: LogLine; wanted: string; current: boolean }): JSX.Element {
  return useMemo(
    () => (
      <div class={current ? "log-line found" : "log-line"} data-line={line.number}>
        <span class="log-number" aria-hidden="true" data-number={line.number} />
        <span>
          {line.spans.map((span, at) => (
            <span key={at} class={span.style || undefined}>
              {wanted ? splitBy(span.text, wanted).map((part, index) => (index % 2 ? <mark key={index}>{part}</mark> : part)) : span.text}
            </span>
          ))}
          {line.spans.length ? "" : " "}
        </span>
      </div>
    ),
    [line, wanted, current],
  );
}

function Copy({ log }: { log: LogText }): JSX.Element {
  const [said, setSaid] = useState("Copy");
  const copy = (): void => {
    const text = log.lines.map(textOf).join("\n");
    navigator.clipboard.writeText(text).then(() => setSaid("Copied"), () => setSaid("Not copied"));
  };
  return (
    <button onClick={copy} onBlur={() => setSaid("Copy")}>
      {said}
    </button>
  );
}
