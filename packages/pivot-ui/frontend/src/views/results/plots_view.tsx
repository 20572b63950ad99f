// All plots of the project; those of other revisions are drawn into the same charts.
import type { JSX } from "preact";
import { exported } from "../../api/client.ts";
import { version } from "../../api/live.ts";
import type { Plots, Revisions } from "../../api/types.ts";
import { counted } from "../../parts/formats.ts";
import { Answered, Empty } from "../../parts/messages.tsx";
import { go, place, route } from "../../routes.ts";
import { useAnswer, useStore } from "../../store.ts";
import { sideOptions, sideTitle } from "../compare/side_options.ts";
import { SidePicker } from "../compare/side_picker.tsx";
import { PlotCards } from "./plot_cards.tsx";

export function PlotsView(): JSX.Element {
  const { query } = useStore(route);
  const beside = query["beside"] ?? "";
  const answer = useAnswer<Plots>("plots", beside ? { revisions: `${beside},workspace` } : {}, useStore(version));
  return (
    <section class="plots" aria-label="Plots">
      <PlotsBar beside={beside} count={answer.value?.plots.length ?? null} />
      <Answered answer={answer}>{(plots) => (plots.plots.length ? <PlotCards plots={plots} /> : <NoPlots />)}</Answered>
    </section>
  );
}

function PlotsBar({ beside, count }: { beside: string; count: number | null }): JSX.Element {
  const revisions = useAnswer<Revisions>("revisions").value;
  const options = sideOptions(revisions, []).filter(({ kind }) => kind !== "workspace");
  const show = (value: string | undefined): void => go(place("plots", [], { beside: value }));
  return (
    <div class="toolbar">
      <h2>Plots</h2>
      {options.length && !exported() ? <SidePicker label="Compare with" value={beside} options={options} onChoose={show} /> : null}
      {beside ? <button onClick={() => show(undefined)}>Only the workspace</button> : null}
      <span class="faint">
        {count === null ? "" : counted(count, "plot")}
        {beside ? ` at ${sideTitle(options, beside)} and in the workspace` : ""}
      </span>
    </div>
  );
}

function NoPlots(): JSX.Element {
  return (
    <Empty>
      No stage has a plot. An out that is a <code>pivot.Plot</code>, or under <code>plots</code> in pivot.yaml, is drawn here.
    </Empty>
  );
}
