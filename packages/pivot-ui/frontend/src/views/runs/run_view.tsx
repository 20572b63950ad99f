// One run: how it ended, its work over time, and its stages; it is followed while it works.
import type { JSX } from "preact";
import { exported } from "../../api/client.ts";
import { newestRun } from "../../api/live.ts";
import { graph } from "../../api/shared.ts";
import type { Run } from "../../api/types.ts";
import { useClock } from "../../parts/clock.ts";
import { moment, seconds } from "../../parts/formats.ts";
import { Answered } from "../../parts/messages.tsx";
import { Badge } from "../../parts/signs.tsx";
import { place } from "../../routes.ts";
import { useAnswer, useStore } from "../../store.ts";
import { elapsed } from "./progress.ts";
import { Counts, RunProgress } from "./run_list.tsx";
import { RunStages } from "./run_stages.tsx";
import { Timeline } from "./timeline_view.tsx";

export function RunView({ number }: { number: number }): JSX.Element {
  const newest = useStore(newestRun);
  const live = newest?.run === number ? newest : null;
  const answer = useAnswer<Run>(live ? null : "run", { number });
  if (live) return <OneRun run={live} />;
  return (
    <Answered answer={answer} way={{ address: place("runs"), title: "Show all runs" }}>
      {(run) => <OneRun run={run} />}
    </Answered>
  );
}

function OneRun({ run }: { run: Run }): JSX.Element {
  const running = run.state === "running";
  const now = useClock(running);
  const lasted = elapsed(run, now);
  return (
    <article class="run" aria-label={`Run ${run.run}`}>
      <RunHead run={run} now={now} />
      {run.problem ? (
        <p class="problem" role="alert">
          {run.problem}
        </p>
      ) : null}
      <Timeline run={run} now={lasted ?? 0} />
      <RunStages run={run} />
    </article>
  );
}

function RunHead({ run, now }: { run: Run; now: number }): JSX.Element {
  const stages = useStore(graph)?.stages.length ?? null;
  const newest = useStore(newestRun);
  return (
    <header class="run-head">
      <h2>
        <a href={place("runs")}>Runs</a> / {run.run}
      </h2>
      <Badge state={run.state} />
      <code class="command" title={run.command}>
        {run.command}
      </code>
      <span class="faint">
        <time dateTime={run.began}>{moment(run.began)}</time>
        {run.state === "running" ? null : `, took ${seconds(elapsed(run, now))}`}
      </span>
      {run.state === "running" ? (
        <span class="run-progress">
          <RunProgress run={run} stages={stages} now={now} />
        </span>
      ) : (
        <Counts run={run} />
      )}
      <nav class="beside" aria-label="Other runs">
        {run.run > 1 ? <a href={place("runs", [run.run - 1])}>run {run.run - 1}</a> : null}
        {run.run > 1 && !exported() ? (
          <a href={place("compare", [], { left: `run:${run.run - 1}`, right: `run:${run.run}` })}>compare with run {run.run - 1}</a>
        ) : null}
        {newest !== null && newest.run > run.run ? <a href={place("runs", [run.run + 1])}>run {run.run + 1}</a> : null}
      </nav>
    </header>
  );
}
