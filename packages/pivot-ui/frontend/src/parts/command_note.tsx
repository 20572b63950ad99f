// Shows each line that the command of the page prints, also while it waits for another one.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { command } from "../api/live.ts";
import type { Command } from "../api/types.ts";
import { useStore } from "../store.ts";
import { outcomeOf, typed } from "./command_words.ts";
import { Badge } from "./signs.tsx";

export function CommandNote(): JSX.Element | null {
  const said = useStore(command);
  const [hidden, setHidden] = useState<Command | null>(null);
  const [open, setOpen] = useState(false);
  const outcome = said ? outcomeOf(said) : null;
  useEffect(() => setOpen(outcome === "failed"), [outcome]);
  if (!said || !outcome || said === hidden) return null;
  return (
    <section class="command-note" aria-label="The command of this page" data-outcome={outcome}>
      <p>
        <span role="status">
          <Badge state={outcome} />
        </span>
        <code title={typed(said)}>{typed(said)}</code>
        <span class="command-line" title={said.lines.at(-1)}>
          {open ? null : said.lines.at(-1)}
        </span>
        {said.lines.length ? (
          <button aria-expanded={open} onClick={() => setOpen(!open)}>
            Output
          </button>
        ) : null}
        {outcome === "running" ? null : (
          <button aria-label="Hide what the command printed" onClick={() => setHidden(said)}>
            Hide
          </button>
        )}
      </p>
      {open ? <Lines lines={said.lines} /> : null}
    </section>
  );
}

/** The last lines, of which the newest are in view. */
function Lines({ lines }: { lines: string[] }): JSX.Element {
  const box = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  return (
    <pre ref={box} tabIndex={0} role="region" aria-label="What the command printed">
      {lines.join("\n")}
    </pre>
  );
}
