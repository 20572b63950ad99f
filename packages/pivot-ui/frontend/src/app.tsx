// The frame of the page: the project, the views, and what is wrong.
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { command, newestRun, silence } from "./api/live.ts";
import { graph, liveStates, problem, project } from "./api/shared.ts";
import { CommandNote } from "./parts/command_note.tsx";
import { counted } from "./parts/formats.ts";
import { Announcements } from "./frame/announcements.tsx";
import { Divider } from "./frame/divider.tsx";
import { helpShown, KeysHelp } from "./frame/keys_help.tsx";
import { useKeptFocus } from "./frame/kept_focus.ts";
import { panelPart } from "./frame/panel_width.ts";
import { isPlain } from "./parts/keys.ts";
import { Empty, ProblemNote } from "./parts/messages.tsx";
import { RunControls } from "./parts/run_controls.tsx";
import { Badge } from "./parts/signs.tsx";
import { go, place, route, titleOf, type Route } from "./routes.ts";
import { useStore } from "./store.ts";
import { switchTheme, theme } from "./theme.ts";
import { CompareView } from "./views/compare/compare_view.tsx";
import { GraphView } from "./views/graph/graph_view.tsx";
import { ArtifactView } from "./views/preview/artifact_view.tsx";
import { PlotsView } from "./views/results/plots_view.tsx";
import { ResultsView } from "./views/results/results_view.tsx";
import { RunsView } from "./views/runs/runs_view.tsx";
import { StageView } from "./views/stage/stage_view.tsx";

const VIEWS: [name: string, title: string, key: string][] = [
  ["graph", "Graph", "g"],
  ["runs", "Runs", "r"],
  ["results", "Results", "s"],
  ["plots", "Plots", "p"],
  ["compare", "Compare", "c"],
];

export function App(): JSX.Element {
  const here = useStore(route);
  const wrong = useStore(problem);
  const silent = useStore(silence);
  const name = useStore(project)?.name;
  useKeptFocus(here);
  useEffect(() => void (document.title = titleOf(here, name ?? "Pivot")), [here, name]);
  useEffect(() => {
    const take = (event: KeyboardEvent): void => {
      if (!isPlain(event)) return;
      const view = VIEWS.find(([, , key]) => key === event.key);
      if (view) go(place(view[0]));
    };
    addEventListener("keydown", take);
    return () => removeEventListener("keydown", take);
  }, []);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
        Skip to the content
      </a>
      <Header here={here} />
      {silent ? <ProblemNote problem={silent} /> : null}
      {wrong ? <ProblemNote problem={wrong} /> : null}
      <CommandNote />
      <main id="main" tabIndex={-1}>
        <View here={here} />
      </main>
      <Announcements />
      <KeysHelp views={VIEWS.map(([, title, key]) => [[key], title])} />
    </>
  );
}

function Header({ here }: { here: Route }): JSX.Element {
  const shown = useStore(project);
  const current = { stage: "graph", artifact: "graph" }[here.view] ?? here.view;
  return (
    <header>
      <h1>
        {shown?.name ?? "Pivot"}
        {shown?.revision ? <Revision revision={shown.revision} /> : null}
      </h1>
      <nav aria-label="Views">
        {VIEWS.map(([name, title, key]) => (
          <a key={name} href={place(name)} aria-current={name === current ? "page" : undefined} title={`${title} (${key})`}>
            {title}
          </a>
        ))}
      </nav>
      <Summary />
      {shown?.allow_run ? <RunControls /> : null}
      <button class="icon" aria-label="Keys" title="Keys (?)" onClick={() => helpShown.set(true)}>
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path d="M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.8-1.1 1.6M8 12.3v.4" />
        </svg>
      </button>
      <Theme />
    </header>
  );
}

function Revision({ revision }: { revision: { commit: string; branch: string | null; dirty: boolean } }): JSX.Element {
  return (
    <span class="revision" title={`${revision.commit}${revision.dirty ? ", with changes that are not committed" : ""}`}>
      {revision.branch ?? revision.commit.slice(0, 8)}
      {revision.dirty ? "*" : ""}
    </span>
  );
}

const ORDER = ["running", "failed", "blocked", "stale", "always", "frozen", "cached"];

/** How many stages are in each state. */
function Summary(): JSX.Element | null {
  const states = useStore(liveStates);
  const run = useStore(newestRun);
  useStore(command);
  if (!useStore(graph)) return null;
  const counts = new Map<string, number>();
  for (const state of states.values()) counts.set(state, (counts.get(state) ?? 0) + 1);
  return (
    <p class="summary">
      {ORDER.filter((state) => counts.has(state)).map((state) => (
        <a key={state} class="in-state" href={place("graph", [], { state })} aria-label={`${counted(counts.get(state) ?? 0, "stage")} ${state}`}>
          <Badge state={state} word={`${counts.get(state)} ${state}`} />
        </a>
      ))}
      {run?.state === "running" ? <a href={place("runs", [run.run])}>run {run.run} is on</a> : null}
    </p>
  );
}

function Theme(): JSX.Element {
  const now = useStore(theme);
  const other = now === "dark" ? "light" : "dark";
  return (
    <button class="icon" onClick={switchTheme} title={`Use the ${other} theme`} aria-label={`Use the ${other} theme`}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d={other === "dark" ? "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z" : "M8 5a3 3 0 1 1 0 6a3 3 0 1 1 0-6M8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.5 1.5M11.5 11.5 13 13M13 3l-1.5 1.5M4.5 11.5 3 13"} />
      </svg>
    </button>
  );
}

function View({ here }: { here: Route }): JSX.Element {
  switch (here.view) {
    case "graph":
    case "stage":
    case "artifact":
      return <GraphWithPanel here={here} />;
    case "runs":
      return <RunsView />;
    case "compare":
      return <CompareView />;
    case "results":
      return <ResultsView />;
    case "plots":
      return <PlotsView />;
    default:
      return (
        <Empty>
          There is no such view. <a href={place("graph")}>Show the graph</a>
        </Empty>
      );
  }
}

/** The graph stays as it is when a panel opens beside it. */
function GraphWithPanel({ here }: { here: Route }): JSX.Element {
  const part = useStore(panelPart);
  const alone = here.view === "graph";
  return (
    <div class={alone ? "whole" : "split"} style={alone ? undefined : { "--panel": `${part * 100}%` }}>
      <GraphView />
      {alone ? null : <Divider />}
      {here.view === "stage" ? <StageView address={here.parts[0] ?? ""} tab={here.parts[1] ?? "why"} /> : null}
      {here.view === "artifact" ? <ArtifactView path={here.query["path"] ?? ""} /> : null}
    </div>
  );
}
