// The runs of a stage: their times and memory, in a chart and a table.
import type { JSX } from "preact";
import type { StageDetail } from "../../api/types.ts";
import { moment, seconds, size } from "../../parts/formats.ts";
import { Badge } from "../../parts/signs.tsx";
import { place } from "../../routes.ts";
import { scaleFor, spread } from "./history_chart.ts";

type Ran = StageDetail["history"][number];

export function HistoryTab({ detail }: { detail: StageDetail }): JSX.Element {
  const { history } = detail;
  if (!history.length) return <p class="empty">No run of it is kept.</p>;
  const ran = history.filter((each) => each.seconds !== null && each.state !== "cached");
  return (
    <div class="panel">
      {ran.length > 1 ? (
        <div class="charts">
          <RunChart title="Duration" runs={ran} value={(each) => each.seconds} text={seconds} />
          <RunChart title="Peak memory" runs={ran} value={(each) => each.memory} text={size} />
        </div>
      ) : null}
      <div class="scroll">
        <table class="runs-of-stage">
          <thead>
            <tr>
              <th scope="col" class="number">
                run
              </th>
              <th scope="col">began</th>
              <th scope="col">state</th>
              <th scope="col" class="number">
                time
              </th>
              <th scope="col" class="number">
                processor
              </th>
              <th scope="col" class="number">
                memory
              </th>
            </tr>
          </thead>
          <tbody>
            {history.map((each) => (
              <tr key={`${each.run} ${each.combination ?? ""}`} title={each.problem || undefined}>
                <td class="number">
                  <a href={place("runs", [each.run])}>{each.run}</a>
                </td>
                <td>{moment(each.began)}</td>
                <td>
                  <Badge state={each.state} /> <span class="faint">{each.combination ?? ""}</span>
                </td>
                <td class="number">{seconds(each.seconds)}</td>
                <td class="number">{seconds(each.cpu)}</td>
                <td class="number">{size(each.memory)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [320, 150, 56, 22, 8];

interface ChartProps {
  title: string;
  runs: Ran[];
  value: (run: Ran) => number | null;
  text: (value: number) => string;
}

function RunChart({ title, runs, value, text }: ChartProps): JSX.Element | null {
  const points = runs.filter((run) => value(run) !== null).reverse();
  if (points.length < 2) return null;
  const values = points.map((run) => value(run) ?? 0);
  const scale = scaleFor(values);
  const x = spread(points.length).map((part) => LEFT + 8 + part * (WIDTH - LEFT - 16));
  const y = (amount: number): number => HEIGHT - BOTTOM - scale.at(amount) * (HEIGHT - BOTTOM - TOP);
  return (
    <figure class="run-chart">
      <figcaption>{title}</figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="group" aria-label={`${title} of ${points.length} runs: from ${text(Math.min(...values))} to ${text(Math.max(...values))}`}>
        {scale.ticks.map((tick) => (
          <g key={tick}>
            <line class="grid" x1={LEFT} x2={WIDTH - 4} y1={y(tick)} y2={y(tick)} />
            <text x={LEFT - 6} y={y(tick) + 4} text-anchor="end">
              {text(tick)}
            </text>
          </g>
        ))}
        <polyline points={values.map((amount, at) => `${x[at]},${y(amount)}`).join(" ")} />
        {points.map((run, at) => (
          <a key={`${run.run} ${run.combination ?? ""}`} href={place("runs", [run.run])} aria-label={`Run ${run.run}: ${text(values[at] ?? 0)}`}>
            <circle class={run.state === "failed" ? "failed" : ""} cx={x[at]} cy={y(values[at] ?? 0)} r={points.length > 25 ? 2.5 : 4}>
              <title>
                Run {run.run}: {text(values[at] ?? 0)}
              </title>
            </circle>
          </a>
        ))}
        <text x={x[0]} y={HEIGHT - 6} text-anchor="middle">
          {points[0]?.run}
        </text>
        <text x={x.at(-1)} y={HEIGHT - 6} text-anchor="middle">
          {points.at(-1)?.run}
        </text>
        <text x={(LEFT + WIDTH) / 2} y={HEIGHT - 6} text-anchor="middle">
          run
        </text>
      </svg>
    </figure>
  );
}
