// Plots as cards: a chart with the series of all revisions, or an image of each.
import type { JSX } from "preact";
import type { Plot, Plots } from "../../api/types.ts";
import { Chart } from "../../parts/chart.tsx";
import { place } from "../../routes.ts";

export function PlotCards({ plots }: { plots: Plots }): JSX.Element {
  return (
    <div class="plot-cards">
      {plots.plots.map((plot) => (
        <PlotCard key={plot.path} plot={plot} />
      ))}
    </div>
  );
}

function PlotCard({ plot }: { plot: Plot }): JSX.Element {
  return (
    <section class="plot-card" aria-label={plot.path}>
      <h3>
        <a href={place("artifact", [], { path: plot.path })} title={plot.path}>
          {plot.path}
        </a>
        <span class="faint" title={`written by ${plot.stage}`}>
          {plot.stage}
        </span>
        {plot.stale ? <span class="badge tone-stale">stale</span> : null}
      </h3>
      {plot.spec ? <Chart spec={plot.spec} label={plot.path} /> : null}
      {plot.images ? <Images plot={plot} images={plot.images} /> : null}
      {plot.problems.map((problem) => (
        <p key={problem} class="plot-problem">
          {problem}
        </p>
      ))}
    </section>
  );
}

function Images({ plot, images }: { plot: Plot; images: Record<string, string | null> }): JSX.Element {
  const sides = Object.entries(images);
  return (
    <div class="plot-images">
      {sides.map(([revision, address]) => (
        <figure key={revision}>
          {isImage(address) ? <img src={address} alt={`${plot.path} at ${revision}`} /> : <p class="faint">not there</p>}
          {sides.length > 1 ? <figcaption title={revision}>{revision}</figcaption> : null}
        </figure>
      ))}
    </div>
  );
}

const isImage = (address: string | null): address is string => address?.startsWith("data:image/") ?? false;
