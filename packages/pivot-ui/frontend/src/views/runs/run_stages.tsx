// The stages of a run as a table.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Run, RunStage } from "../../api/types.ts";
import { type DataColumn, DataTable } from "../../parts/data_table.tsx";
import { seconds, size } from "../../parts/formats.ts";
import { Empty } from "../../parts/messages.tsx";
import { Badge } from "../../parts/signs.tsx";
import type { Sort } from "../../parts/sorting.ts";
import { place } from "../../routes.ts";
import { shortCombination, whyOf } from "./timeline.ts";

const BEGAN: Sort = [{ key: "began", descending: false }];

export function RunStages({ run }: { run: Run }): JSX.Element {
  const [sort, setSort] = useState<Sort>(BEGAN);
  const [search, setSearch] = useState("");
  const columns = useMemo(() => columnsOf(run), [run]);
  const rows = useMemo(() => {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const numbered = run.stages.map((stage, index) => ({ stage, index }));
    return numbered.filter(({ stage }) => {
      const text = `${stage.name} ${stage.state} ${whyOf(stage)}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }, [run, search]);
  if (run.stages.length === 0) return <Empty>{run.state === "running" ? "No stage has begun." : "The run was about no stage."}</Empty>;
  return (
    <section class="run-stages">
      <div class="toolbar">
        <h3>Stages</h3>
        <input
          type="search"
          aria-label="Find stages"
          placeholder="Find stages, states, reasons"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <span class="faint" aria-live="polite">
          {rows.length === run.stages.length ? run.stages.length : `${rows.length} of ${run.stages.length}`}
        </span>
      </div>
      <DataTable label="Stages" columns={columns} rows={rows} keyOf={(row) => row.index} sort={sort} onSort={setSort} />
    </section>
  );
}

interface Row {
  stage: RunStage;
  index: number;
}

function columnsOf(run: Run): DataColumn<Row>[] {
  const columns: DataColumn<Row>[] = [
    {
      key: "name",
      title: "Stage",
      cell: ({ stage }) => shortName(stage),
      show: ({ stage }) => (
        <a href={place("stage", [stage.address, "log"])} title={`The log of ${stage.address}`}>
          {shortName(stage)}
        </a>
      ),
    },
    { key: "state", title: "State", cell: ({ stage }) => stage.state, show: ({ stage }) => <Badge state={stage.state} /> },
    { key: "began", title: "Began", numeric: true, cell: ({ stage }) => stage.began, show: ({ stage }) => (stage.seconds === null && stage.state !== "running" ? "" : seconds(stage.began)) },
    { key: "seconds", title: "Took", numeric: true, cell: ({ stage }) => stage.seconds, show: ({ stage }) => seconds(stage.seconds) },
    { key: "cpu", title: "CPU", numeric: true, hint: "Processor time", cell: ({ stage }) => stage.cpu, show: ({ stage }) => seconds(stage.cpu) },
    { key: "memory", title: "Memory", numeric: true, hint: "Peak memory", cell: ({ stage }) => stage.memory, show: ({ stage }) => size(stage.memory) },
    { key: "why", title: "Why", wide: true, cell: ({ stage }) => whyOf(stage), show: ({ stage }) => <Why stage={stage} /> },
  ];
  if (run.stages.some((stage) => stage.combination))
    columns.splice(1, 0, {
      key: "combination",
      title: "Combination",
      cell: ({ stage }) => stage.combination,
      show: ({ stage }) => shortCombination(stage.combination ?? ""),
    });
  if (run.stages.some((stage) => stage.worker))
    columns.splice(2, 0, { key: "worker", title: "Worker", cell: ({ stage }) => stage.worker });
  return columns;
}

/** The name without the combination, which has a column of its own. */
const shortName = (stage: RunStage): string => (stage.combination ? stage.name.replace(` (${stage.combination})`, "") : stage.name);

function Why({ stage }: { stage: RunStage }): JSX.Element {
  return (
    <>
      {stage.problem ? <span class="wrong">{stage.problem}</span> : whyOf(stage)}
      {stage.undeclared.length ? (
        <span class="undeclared" title={stage.undeclared.join("\n")}>
          {stage.undeclared.length} undeclared
        </span>
      ) : null}
    </>
  );
}
