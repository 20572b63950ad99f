// The keys of the page, and its signs, in a window over it; `?` opens it in every view.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { isPlain } from "../parts/keys.ts";
import { Badge } from "../parts/signs.tsx";
import { Store, useStore } from "../store.ts";
import { ArtifactSign, SHAPES } from "../views/graph/drawing/node_box.tsx";
import { STATES } from "../views/graph/filter.ts";
import { GRAPH_KEYS, type KeyRow } from "../views/graph/keys.tsx";

export const helpShown = new Store(false);

const OTHER_KEYS: [title: string, rows: KeyRow[]][] = [
  ["Panel", [[["Esc"], "close it"], [["←", "→"], "on the line before it: its width"]]],
  ["Lists", [[["↑", "↓", "←", "→"], "move, open and close"], [["Enter"], "open"]]],
  ["Tables and directories", [[["["], "page before"], [["]"], "next page"], [["Shift", "click"], "sort by one more column"]]],
  ["Log", [[["Enter"], "in its search: the next line found"], [["Shift", "Enter"], "the line before"]]],
  ["Timeline", [[["+", "−"], "larger, smaller"], [["0"], "all of it"], [["←", "→"], "earlier, later"]]],
];

/** The window with the keys, once it is asked for; `views` are the keys that every view knows. */
export function KeysHelp({ views }: { views: KeyRow[] }): JSX.Element | null {
  const shown = useStore(helpShown);
  useEffect(() => {
    const take = (event: KeyboardEvent): void => {
      if (event.key !== "?" || !isPlain(event)) return;
      event.preventDefault();
      helpShown.set(true);
    };
    addEventListener("keydown", take);
    return () => removeEventListener("keydown", take);
  }, []);
  return shown ? <Window views={views} /> : null;
}

function Window({ views }: { views: KeyRow[] }): JSX.Element {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => box.current?.showModal(), []);
  const close = (): void => box.current?.close(); // gives the focus back
  const press = (event: KeyboardEvent): void => {
    event.stopPropagation(); // the page below takes no keys
    if (event.key !== "?") return;
    close();
  };
  return (
    <dialog
      ref={box}
      class="help"
      role="dialog"
      aria-label="Keys"
      onKeyDown={press}
      onClose={() => helpShown.set(false)}
      onClick={(event) => event.target === box.current && close()}
    >
      <div class="help-groups">
        <KeyGroup title="Views" rows={views} />
        <KeyGroup title="Graph" rows={GRAPH_KEYS} />
        {OTHER_KEYS.map(([title, rows]) => (
          <KeyGroup key={title} title={title} rows={rows} />
        ))}
      </div>
      <h2>Signs</h2>
      <p class="legend">
        {STATES.map((state) => (
          <Badge key={state} state={state} />
        ))}
      </p>
      <p class="legend">
        {SHAPES.map((shape) => (
          <span key={shape}>
            <ArtifactSign shape={shape} /> {shape}
          </span>
        ))}
        <span>┄ runs after, and reads nothing of it</span>
      </p>
      <p class="faint">The wheel zooms, drag moves. The list beside the graph has the same stages for screen readers.</p>
      <button onClick={close}>Close</button>
    </dialog>
  );
}

function KeyGroup({ title, rows }: { title: string; rows: KeyRow[] }): JSX.Element {
  return (
    <section>
      <h2>{title}</h2>
      <dl>
        {rows.map(([keys, meaning]) => (
          <div key={meaning}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
