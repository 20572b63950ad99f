// The recorded runs, the newest first; the one that works now is at the top.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask, exported } from "../../api/client.ts";
import { newestRun } from "../../api/live.ts";
import { graph } from "../../api/shared.ts";
import type { Run } from "../../api/types.ts";
import { useClock } from "../../parts/clock.ts";
import { counted, moment, seconds } from "../../parts/formats.ts";
import { Answered, Empty, ProblemNote } from "../../parts/messages.tsx";
import { Badge } from "../../parts/signs.tsx";
import { go, place } from "../../routes.ts";
import { type Problem, useAnswer, useStore } from "../../store.ts";
import { countsOf, elapsed, progressOf, toCompare, wantedRuns } from "./progress.ts";

interface Page {
  runs: Run[];
  more: boolean;
}

const PAGE = 50;

export function RunList(): JSX.Element {
  const newest = useStore(newestRun);
  const answer = useAnswer<Page>("runs", { limit: PAGE }, `${newest?.run} ${newest?.state}`);
  return <Answered answer={answer}>{(page) => <Runs page={page} />}</Answered>;
}

function Runs({ page }: { page: Page }): JSX.Element {
  const [older, more, wrong, loadOlder] = useOlder(page);
  const newest = useStore(newestRun);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [search, setSearch] = useState("");
  const [state, setState] = useState("");
  const runs = newestFirst([...(newest ? [newest] : []), ...page.runs, ...older]);
  const wanted = wantedRuns(runs, search, state);
  const choose = (run: number, on: boolean): void => {
    const others = [...chosen].filter((each) => each !== run);
    setChosen(new Set(on ? [...others.slice(-1), run] : others));
  };
  const now = useClock(newest?.state === "running");
  if (runs.length === 0)
    return (
      <Empty>
        No run has been recorded. <code>pivot repro</code> runs the stages, and records what it does.
      </Empty>
    );
  return (
    <section class="runs" aria-label="Runs">
      <div class="toolbar">
        <h2>Runs</h2>
        <input type="search" aria-label="Find runs" placeholder="Find numbers, commands, errors" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
        <StateChoice runs={runs} state={state} onChoose={setState} />
        <span class="faint" role="status">
          {wanted.length === runs.length ? counted(runs.length, "run") : `${wanted.length} of ${counted(runs.length, "run")}`}
        </span>
        {exported() ? null : <CompareChosen chosen={chosen} />}
      </div>
      {newest?.state === "running" ? <RunningNote run={newest} now={now} /> : null}
      <div class="data-table">
        <table>
          <thead>
            <tr>
              {exported() ? null : (
                <th scope="col">
                  <span class="unseen">Choose to compare</span>
                </th>
              )}
              <th scope="col" class="number">Run</th>
              <th scope="col">State</th>
              <th scope="col">Command</th>
              <th scope="col">Began</th>
              <th scope="col" class="number">Took</th>
              <th scope="col">Stages</th>
            </tr>
          </thead>
          <tbody>
            {wanted.map((run) => (
              <RunRow key={run.run} run={run} now={now} chosen={chosen.has(run.run)} onChoose={choose} />
            ))}
          </tbody>
        </table>
      </div>
      {wanted.length ? null : <Empty>No run is like that{more ? " among those that are listed" : ""}.</Empty>}
      {wrong ? <ProblemNote problem={wrong} /> : null}
      {more && !exported() ? (
        <p class="more">
          <button onClick={loadOlder}>Older runs</button>
        </p>
      ) : null}
    </section>
  );
}

/** The pages after the first one, as far as they were asked for. */
function useOlder(page: Page): [runs: Run[], more: boolean, wrong: Problem | null, load: () => void] {
  const [pages, setPages] = useState<Page[]>([]);
  const [wrong, setWrong] = useState<Problem | null>(null);
  const last = pages.at(-1) ?? page;
  const before = last.runs.at(-1)?.run;
  useEffect(() => setWrong(null), [pages]);
  const load = (): void =>
    void ask<Page>("runs", { limit: PAGE, before }).then((next) => setPages((old) => [...old, next]), (said: Problem) => setWrong(said));
  return [pages.flatMap((each) => each.runs), last.more && before !== undefined, wrong, load];
}

/** Each run once: the first that is given, since it is the newest state. */
function newestFirst(runs: Run[]): Run[] {
  const known = new Map<number, Run>();
  for (const run of runs) if (!known.has(run.run)) known.set(run.run, run);
  return [...known.values()].sort((left, right) => right.run - left.run);
}

function StateChoice({ runs, state, onChoose }: { runs: readonly Run[]; state: string; onChoose: (state: string) => void }): JSX.Element {
  const states = [...new Set([...runs.map((run) => run.state), ...(state ? [state] : [])])].sort();
  return (
    <select aria-label="State of runs" value={state} onChange={(event) => onChoose(event.currentTarget.value)}>
      <option value="">all states</option>
      {states.map((each) => (
        <option key={each} value={each}>
          {each.replace("_", " ")} ({runs.filter((run) => run.state === each).length})
        </option>
      ))}
    </select>
  );
}

function CompareChosen({ chosen }: { chosen: ReadonlySet<number> }): JSX.Element {
  const pair = toCompare(chosen);
  return (
    <span class="controls push">
      <span class="faint">{pair ? `run ${pair[0]} and run ${pair[1]} are chosen` : "choose two runs to compare them"}</span>
      <button
        class="primary"
        disabled={!pair}
        onClick={() => pair && go(place("compare", [], { left: `run:${pair[0]}`, right: `run:${pair[1]}` }))}
      >
        Compare
      </button>
    </span>
  );
}

function RunningNote({ run, now }: { run: Run; now: number }): JSX.Element {
  const stages = useStore(graph)?.stages.length ?? null;
  return (
    <a class="running-note tone-running" href={place("runs", [run.run])}>
      <Badge state="running" word={`run ${run.run}`} />
      <code>{run.command}</code>
      <RunProgress run={run} stages={stages} now={now} />
    </a>
  );
}

/** How far a run is: a bar if its end is known, the stages that work, and the time so far. */
export function RunProgress({ run, stages, now }: { run: Run; stages: number | null; now: number }): JSX.Element {
  const { done, running, total } = progressOf(run, stages);
  return (
    <>
      {total === null ? null : <progress value={done} max={total} aria-label={`${done} of ${total} stages have ended`} />}
      <span>{total === null ? `${done} done` : `${done}/${total}`}</span>
      <span class="names">{running.map((stage) => stage.name).join(", ") || "loading pipelines"}</span>
      <span class="took">{seconds(elapsed(run, now))}</span>
    </>
  );
}

interface RunRowProps {
  run: Run;
  now: number;
  chosen: boolean;
  onChoose: (run: number, on: boolean) => void;
}

function RunRow({ run, now, chosen, onChoose }: RunRowProps): JSX.Element {
  const address = place("runs", [run.run]);
  return (
    <tr class={chosen ? "chosen" : undefined}>
      {exported() ? null : (
        <td>
          <input
            type="checkbox"
            aria-label={`Compare run ${run.run}`}
            checked={chosen}
            onChange={(event) => onChoose(run.run, event.currentTarget.checked)}
          />
        </td>
      )}
      <td class="number">
        <a href={address}>{run.run}</a>
      </td>
      <td>
        <Badge state={run.state} />
      </td>
      <td class="wide" title={run.problem ? `${run.command}\n${run.problem}` : run.command}>
        <a href={address} class="mono">
          {run.command}
        </a>
      </td>
      <td>
        <time dateTime={run.began}>{moment(run.began)}</time>
      </td>
      <td class="number">{seconds(elapsed(run, now))}</td>
      <td>
        <Counts run={run} />
      </td>
    </tr>
  );
}

export function Counts({ run }: { run: Run }): JSX.Element {
  return (
    <span class="counts">
      {countsOf(run).map(([state, count]) => (
        <Badge key={state} state={state} word={`${count} ${state === "inputs_changed" ? "edited" : state}`} />
      ))}
    </span>
  );
}
