// The runs, or one of them.
import type { JSX } from "preact";
import { Empty } from "../../parts/messages.tsx";
import { place, route } from "../../routes.ts";
import { useStore } from "../../store.ts";
import { RunList } from "./run_list.tsx";
import { RunView } from "./run_view.tsx";

export function RunsView(): JSX.Element {
  const { parts } = useStore(route);
  const name = parts[0];
  if (name === undefined) return <RunList />;
  const run = Number(name);
  if (Number.isInteger(run) && run > 0) return <RunView key={run} number={run} />;
  return (
    <Empty>
      A run has a number. <a href={place("runs")}>Show all runs</a>
    </Empty>
  );
}
