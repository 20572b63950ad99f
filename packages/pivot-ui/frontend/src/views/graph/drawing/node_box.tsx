// A node that can be read: a button, which opens it.
import type { JSX } from "preact";
import type { LiveState } from "../../../api/shared.ts";
import { Sign, toneOf } from "../../../parts/signs.tsx";
import type { Emphasis } from "./canvas.ts";
import type { Box } from "../edge_routes.ts";
import { countsOf, stateOf } from "../filter.ts";
import { fold, open } from "../graph_state.ts";
import type { GraphNode } from "../model.ts";

interface Props {
  node: GraphNode;
  place: Box;
  states: ReadonlyMap<string, LiveState>;
  look: Emphasis;
  current: boolean;
  cursor: boolean;
  moved: () => boolean;
}

export function NodeBox({ node, place, states, look, current, cursor, moved }: Props): JSX.Element {
  const state = stateOf(node, states);
  const names = ["node", `node-${node.kind}`, state ? toneOf(state) : "", look === "dim" ? "dim" : "", current ? "current" : "", cursor ? "cursor" : ""];
  return (
    <div
      class={names.filter(Boolean).join(" ")}
      data-id={node.id}
      style={{ left: `${place.x}px`, top: `${place.y}px`, width: `${place.width}px`, height: `${place.height}px` }}
    >
      <button tabIndex={-1} title={node.title} aria-label={spoken(node, states)} onClick={() => moved() || open(node)}>
        <Face node={node} state={state} states={states} />
      </button>
      {node.stage && node.group ? (
        <button class="fold" tabIndex={-1} title="Collapse its group (e)" aria-label="Collapse its group" onClick={() => fold(node.group as string, true)}>
          −
        </button>
      ) : null}
    </div>
  );
}

function Face({ node, state, states }: { node: GraphNode; state: string | null; states: ReadonlyMap<string, LiveState> }): JSX.Element {
  if (node.artifact)
    return (
      <>
        <ArtifactSign shape={node.artifact.view ?? (node.artifact.directory ? "directory" : "file")} />
        <span class="label">{node.label}</span>
      </>
    );
  if (node.stage)
    return (
      <>
        <Sign state={state ?? "unknown"} />
        <span class="label">{node.label}</span>
      </>
    );
  return (
    <>
      <span class="label">{node.label}</span>
      <span class="counts">
        {countsOf(node.stages, states).map(([each, count]) => (
          <span key={each} class={`small ${toneOf(each)}`} title={`${count} ${each}`}>
            <Sign state={each} />
            {count}
          </span>
        ))}
      </span>
    </>
  );
}

const PATHS = {
  file: "M3 1.5h4l2.5 2.5v6.5h-6.5zM7 1.5v2.5h2.5",
  directory: "M1.5 3h3.5l1 1.5h4.5v5.5h-9z",
  metric: "M2 10V6.5M5 10V3M8 10V5M11 10H1",
  plot: "M1.5 1.5v9h9M3.5 8l2-3 2 1.5 2.5-4",
};

type Shape = keyof typeof PATHS;
export const SHAPES = Object.keys(PATHS) as Shape[];

export function ArtifactSign({ shape }: { shape: Shape }): JSX.Element {
  return (
    <svg class="sign" viewBox="0 0 12 12" aria-hidden="true">
      <path d={PATHS[shape]} />
    </svg>
  );
}

export function spoken(node: GraphNode, states: ReadonlyMap<string, LiveState>): string {
  if (node.artifact) return `${node.artifact.path}, ${node.artifact.writer === null ? "source" : "output"}`;
  if (node.stage) return `${node.stage.address}, ${stateOf(node, states)}`;
  return `${node.title}, ${countsOf(node.stages, states).map(([state, count]) => `${count} ${state}`).join(", ")}`;
}
