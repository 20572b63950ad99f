// Two sides of the project beside each other: revisions of git, the workspace, or runs.
import type { ComponentChildren, JSX } from "preact";
import { exported } from "../../api/client.ts";
import { newestRun, version } from "../../api/live.ts";
import type { Comparison, Revisions, Run } from "../../api/types.ts";
import { Answered, Empty, ProblemNote } from "../../parts/messages.tsx";
import { go, place, route } from "../../routes.ts";
import { useAnswer, useStore } from "../../store.ts";
import { PlotCards } from "../results/plot_cards.tsx";
import { type Became, outBecame, tally, valueRows } from "./differences.ts";
import { OutTable } from "./out_table.tsx";
import { chosenSides, type SideOption, sideOptions, type Sides, sideTitle } from "./side_options.ts";
import { SidePicker } from "./side_picker.tsx";
import { ValueTable } from "./value_tables.tsx";

export function CompareView(): JSX.Element {
  const newest = useStore(newestRun);
  const revisions = useAnswer<Revisions>("revisions", {}, useStore(version));
  const runs = useAnswer<{ runs: Run[] }>("runs", { limit: 50 }, `${newest?.run} ${newest?.state}`);
  if (runs.loading && runs.value === null) return <Answered answer={runs}>{() => null}</Answered>;
  return <Answered answer={revisions}>{(value) => <Compared revisions={value} runs={runs.value?.runs ?? []} />}</Answered>;
}

function Compared({ revisions, runs }: { revisions: Revisions; runs: Run[] }): JSX.Element {
  const { query } = useStore(route);
  const sides = chosenSides(query, revisions, runs);
  return sides ? <ComparedSides sides={sides} all={query["all"] === "yes"} revisions={revisions} runs={runs} /> : <NothingToCompare />;
}

function NothingToCompare(): JSX.Element {
  return (
    <Empty>
      There is nothing to compare yet: a commit of git, or a run of <code>pivot repro</code>, is one side, and the workspace the other.
    </Empty>
  );
}

function ComparedSides({ sides, all, revisions, runs }: { sides: Sides; all: boolean; revisions: Revisions; runs: Run[] }): JSX.Element {
  const options = sideOptions(revisions, runs);
  const show = (change: Record<string, string | undefined>): void => go(place("compare", [], { ...sides, ...(all ? { all: "yes" } : {}), ...change }));
  const answer = useAnswer<Comparison>("compare", sides, useStore(version));
  return (
    <section class="compare" aria-label="Compare">
      <div class="toolbar">
        <h2>Compare</h2>
        <SidePicker label="From" value={sides.left} options={options} onChoose={(left) => show({ left })} />
        {exported() ? null : (
          <button title="Swap the sides" aria-label="Swap the sides" onClick={() => show({ left: sides.right, right: sides.left })}>
            ⇄
          </button>
        )}
        <SidePicker label="To" value={sides.right} options={options} onChoose={(right) => show({ right })} />
        <label class="check">
          <input type="checkbox" checked={!all} onChange={() => show({ all: all ? undefined : "yes" })} /> only what differs
        </label>
        {answer.loading && answer.value ? <span class="faint">asking…</span> : null}
      </div>
      <Answered answer={answer}>{(found) => <Differences found={found} sides={sides} options={options} all={all} />}</Answered>
    </section>
  );
}

interface DifferencesProps {
  found: Comparison;
  sides: Sides;
  options: readonly SideOption[];
  all: boolean;
}

function Differences({ found, sides, options, all }: DifferencesProps): JSX.Element {
  const [left, right] = [sideTitle(options, sides.left), sideTitle(options, sides.right)];
  const names = { left, right };
  const params = found.params.map(({ stage, values }) => ({ owner: stage, values }));
  const metrics = found.metrics.map(({ path, values }) => ({ owner: path, values }));
  const outs = found.outs.filter((out) => all || !out.same);
  const became = (groups: typeof params): Became[] => valueRows(groups, true).map((row) => row.became);
  return (
    <>
      {found.problems.map((problem) => (
        <ProblemNote key={problem.error} problem={problem} />
      ))}
      <Part title="Parameters" counts={tally(became(params))} rows={valueRows(params, all).length} noun="parameter">
        <ValueTable label="Parameters" owner="Stage" {...names} rows={valueRows(params, all)} />
      </Part>
      <Part title="Metrics" counts={tally(became(metrics))} rows={valueRows(metrics, all).length} noun="metric">
        <ValueTable label="Metrics" owner="File" {...names} rows={valueRows(metrics, all)} />
      </Part>
      <Part title="Outs" counts={tally(found.outs.map(outBecame))} rows={outs.length} noun="out">
        <OutTable outs={outs} {...names} sides={sides} />
      </Part>
      <Part title="Plots" counts="" rows={found.plots.plots.length} noun="plot">
        <PlotCards plots={found.plots} />
      </Part>
    </>
  );
}

function Part({ title, counts, rows, noun, children }: { title: string; counts: string; rows: number; noun: string; children: ComponentChildren }): JSX.Element {
  return (
    <section class="compare-part" aria-label={title}>
      <h3>
        {title} <span class="faint">{counts}</span>
      </h3>
      {rows ? children : <Empty>{counts ? `No ${noun} differs.` : `There is no ${noun} on either side.`}</Empty>}
    </section>
  );
}
