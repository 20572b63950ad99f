// Above the graph: the search, the filter by state, and what is shown.
import type { JSX, RefObject } from "preact";
import { useState } from "preact/hooks";
import { graph, liveStates } from "../../api/shared.ts";
import { counted } from "../../parts/formats.ts";
import { Badge, Sign } from "../../parts/signs.tsx";
import { useStore } from "../../store.ts";
import { countsOf, search, type Hit } from "./filter.ts";
import { artifactsShown, chosenStates, focus, foldAll, jump, listShown, onlyChosen, sideways } from "./graph_state.ts";
import type { Structure } from "./model.ts";

interface Props {
  searchBox: RefObject<HTMLInputElement | null>;
  structure: Structure;
  listIsShown: boolean;
}

export function Toolbar({ searchBox, structure, listIsShown }: Props): JSX.Element {
  const artifacts = useStore(artifactsShown);
  const focused = useStore(focus);
  return (
    <div class="toolbar graph-toolbar" role="toolbar" aria-label="Graph">
      <button aria-pressed={listIsShown} title="Show the list of stages (l)" onClick={() => listShown.set(!listIsShown)}>
        List
      </button>
      <Search box={searchBox} />
      <States />
      <OnlyChosen />
      {focused ? (
        <button class="chip" title="Show everything (Esc)" onClick={() => focus.set(null)}>
          {WORDS[focused.direction]} {structure.byId.get(focused.id)?.label ?? "a node"} <span aria-hidden="true">×</span>
        </button>
      ) : null}
      <span class="tools">
        <button aria-pressed={artifacts} title="Show files between the stages (o)" onClick={() => artifactsShown.set(!artifacts)}>
          Artifacts
        </button>
        <button title="Expand all groups" onClick={() => foldAll(false)}>
          Expand
        </button>
        <button title="Collapse all groups" onClick={() => foldAll(true)}>
          Collapse
        </button>
      </span>
    </div>
  );
}

/** Over the graph: the buttons that move it. */
export function Zoom({ act }: { act: (name: "fit" | "in" | "out") => void }): JSX.Element {
  const across = useStore(sideways);
  return (
    <div class="zoom" role="group" aria-label="View">
      <button class="icon" aria-pressed={across} aria-label="From left to right" title="From left to right, or from above to below (t)" onClick={() => sideways.set(!across)}>
        <Icon path={across ? "M2 8h11M9.5 4.5 13 8l-3.5 3.5" : "M8 2v11M4.5 9.5 8 13l3.5-3.5"} />
      </button>
      <button class="icon" aria-label="Zoom out" title="Zoom out (−)" onClick={() => act("out")}>
        <Icon path="M3 8h10" />
      </button>
      <button class="icon" aria-label="Zoom in" title="Zoom in (+)" onClick={() => act("in")}>
        <Icon path="M3 8h10M8 3v10" />
      </button>
      <button class="icon" aria-label="Show all" title="Show all (f)" onClick={() => act("fit")}>
        <Icon path="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4" />
      </button>
    </div>
  );
}

const WORDS = { upstream: "Upstream of", downstream: "Downstream of", both: "Up and down from" };

function Icon({ path }: { path: string }): JSX.Element {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

function States(): JSX.Element {
  const states = useStore(liveStates);
  const chosen = useStore(chosenStates);
  const counts = new Map(countsOf(states.keys(), states));
  for (const state of chosen) if (!counts.has(state)) counts.set(state, 0);
  const toggle = (state: string): void => {
    const next = new Set(chosen);
    if (!next.delete(state)) next.add(state);
    chosenStates.set(next);
  };
  return (
    <span class="states" role="group" aria-label="Filter by state">
      {[...counts].map(([state, count]) => (
        <button key={state} class="chip" aria-pressed={chosen.has(state)} title={`Show the stages that are ${state}`} onClick={() => toggle(state)}>
          <Badge state={state} word={`${state} ${count}`} />
        </button>
      ))}
    </span>
  );
}

function OnlyChosen(): JSX.Element | null {
  const only = useStore(onlyChosen);
  if (!useStore(chosenStates).size) return null;
  return (
    <button aria-pressed={only} title="Show only these stages, and what leads to them" onClick={() => onlyChosen.set(!only)}>
      Only these
    </button>
  );
}

const MOST_HITS = 60;

function Search({ box }: { box: RefObject<HTMLInputElement | null> }): JSX.Element {
  const shown = useStore(graph);
  const states = useStore(liveStates);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [active, setActive] = useState(false);
  const all = shown && active ? search(shown, text) : [];
  const hits = all.slice(0, MOST_HITS);
  const end = (): void => {
    setText("");
    setAt(0);
    box.current?.blur();
  };
  const take = (hit: Hit | undefined): void => {
    if (!hit) return;
    end();
    jump(hit.id);
  };
  const press = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) setAt(Math.min(Math.max(0, at + step), Math.max(0, hits.length - 1)));
    else if (event.key === "Enter") take(hits[at]);
    else if (event.key === "Escape") end();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const open = active && text.trim() !== "";
  return (
    <span class="search">
      <input
        ref={box}
        type="text"
        role="combobox"
        aria-label="Search stages and artifacts"
        aria-expanded={open}
        aria-controls="graph-hits"
        aria-autocomplete="list"
        aria-activedescendant={open && hits.length ? `graph-hit-${at}` : undefined}
        placeholder="Search (/)"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
          setActive(true);
        }}
        onFocus={() => setActive(true)}
        onBlur={() => setActive(false)}
        onKeyDown={press}
      />
      {open ? (
        <div class="hits">
          <ul id="graph-hits" role="listbox" aria-label="Found">
            {hits.map((hit, index) => (
              <li
                key={hit.id}
                id={`graph-hit-${index}`}
                role="option"
                aria-selected={index === at}
                title={hit.label}
                ref={(element) => void (index === at && element?.scrollIntoView({ block: "nearest" }))}
                // The search would lose the focus, and the list would be gone before the click.
                onMouseDown={(event) => event.preventDefault()}
                onClick={() => take(hit)}
              >
                {hit.kind === "stage" ? <StageSign state={states.get(hit.id.slice(2)) ?? "unknown"} /> : <span class="sign" />}
                <span class={hit.kind === "artifact" ? "label mono" : "label"}>{hit.label}</span>
              </li>
            ))}
          </ul>
          <p class="faint" role="status">
            {all.length > hits.length ? `${all.length - hits.length} more: type more of the name` : all.length ? `${counted(all.length, "result")}` : "Nothing has such a name"}
          </p>
        </div>
      ) : null}
    </span>
  );
}

function StageSign({ state }: { state: string }): JSX.Element {
  return (
    <span class={`small tone-${state}`}>
      <Sign state={state} />
    </span>
  );
}
