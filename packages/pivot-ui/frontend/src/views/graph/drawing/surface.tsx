// The drawing: edges on a canvas, and those nodes that are in view as elements, as long as they can be read.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import type { LiveState } from "../../../api/shared.ts";
import { useStore } from "../../../store.ts";
import { theme } from "../../../theme.ts";
import { boxOf, coloursOf, draw, type DrawnEdge, type Emphasis, type Frame } from "./canvas.ts";
import type { Box } from "../edge_routes.ts";
import { inStates, stateOf } from "../filter.ts";
import { open, seat } from "../graph_state.ts";
import type { Layout } from "../layout.ts";
import type { GraphNode, Structure } from "../model.ts";
import { NodeBox } from "./node_box.tsx";
import { usePointer } from "./pointer.ts";
import { contains, overlaps, pointAt, seen, type Size, type Viewport } from "./viewport.ts";

export interface Drawn {
  structure: Structure;
  layout: Layout;
}

/** What moves the view from outside. */
export interface Camera {
  window: () => Size;
  look: (view: Viewport) => void;
}

/** Below this scale, and for more nodes, the canvas draws the nodes. */
const READABLE = 0.4;
const MOST_ELEMENTS = 400;
const REST = 90;

interface Props {
  drawn: Drawn;
  states: ReadonlyMap<string, LiveState>;
  chosen: ReadonlySet<string>;
  selected: string | null;
  cursor: string | null;
  related: ReadonlySet<string> | null;
  onReady: (camera: Camera) => void;
  onResize: (size: string) => void;
}

export function Surface({ drawn, states, chosen, selected, cursor, related, onReady, onResize }: Props): JSX.Element {
  const [box, canvas, layer] = [useRef<HTMLDivElement>(null), useRef<HTMLCanvasElement>(null), useRef<HTMLDivElement>(null)];
  const shownTheme = useStore(theme);
  const [visible, show] = useState<GraphNode[]>([]);
  const [hovered, hover] = useState<string | null>(null);
  const [resized, again] = useReducer((count: number) => count + 1, 0);
  const emphasis = (id: string): Emphasis => {
    const node = drawn.structure.byId.get(id);
    if (node && !inStates(node, chosen, states) && (chosen.size === 0 || node.kind !== "artifact")) return "dim";
    if (related === null) return chosen.size && node?.kind === "artifact" ? "dim" : "plain";
    if (id === selected || id === cursor) return "strong";
    return related.has(id) ? "plain" : "dim";
  };
  const edges = useMemo(() => drawnEdges(drawn), [drawn]);
  for (const [index, edge] of drawn.structure.edges.entries()) {
    const both = related !== null && related.has(edge.from) && related.has(edge.to);
    const touched = hovered !== null && (edge.from === hovered || edge.to === hovered);
    (edges[index] as DrawnEdge).emphasis = touched ? "strong" : related === null ? (chosen.size ? "dim" : "plain") : both ? "strong" : "dim";
  }
  const painter = useMemo(() => new Painter(), []);
  painter.paint = (view, window) => {
    if (!canvas.current || !box.current) return;
    const area = seen(view, window, marginOf(window));
    const found = drawn.structure.nodes.filter((node) => overlaps(drawn.layout.places.get(node.id) as Box, area));
    const asElements = view.scale >= READABLE && found.length <= MOST_ELEMENTS;
    const nodes = asElements ? [] : found.map((node) => ({
      box: drawn.layout.places.get(node.id) as Box,
      label: node.label,
      tone: stateOf(node, states) ?? "",
      round: node.kind === "artifact",
      emphasis: emphasis(node.id),
    }));
    draw(canvas.current, { frames: framesOf(drawn), edges, nodes }, view, window, marginOf(window), coloursOf(box.current));
    show((old) => {
      const next = asElements ? found : [];
      return old.length === next.length && old.every((node, index) => node === next[index]) ? old : next;
    });
  };
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    painter.attach(element, canvas.current as HTMLCanvasElement, layer.current as HTMLDivElement);
    onReady({ window: () => painter.measure(), look: (view) => painter.look(view) });
    const observer = new ResizeObserver(() => {
      const { width, height } = painter.measure();
      again(undefined as never);
      onResize(`${width}x${height}`);
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      painter.detach();
    };
  }, []);
  useLayoutEffect(() => painter.repaint(), [drawn, states, chosen, selected, cursor, related, hovered, resized]);
  useEffect(() => painter.repaint(), [shownTheme]); // its colours are there once the page has them
  const moved = usePointer(box, painter);
  /** The node below the pointer, also one that the canvas draws. */
  const nodeAt = (event: MouseEvent): GraphNode | undefined => {
    const element = event.target instanceof Element ? event.target.closest<HTMLElement>(".node") : null;
    if (element) return drawn.structure.byId.get(element.dataset["id"] ?? "");
    const { left, top } = (box.current as HTMLElement).getBoundingClientRect();
    const point = pointAt(painter.view, event.clientX - left, event.clientY - top);
    return drawn.structure.nodes.find((node) => overlaps(drawn.layout.places.get(node.id) as Box, point));
  };
  const follow = (event: PointerEvent): void => {
    if (event.buttons) return;
    const node = nodeAt(event);
    hover(node?.id ?? null);
    if (box.current) box.current.title = visible.length ? "" : (node?.title ?? "");
  };
  const click = (event: MouseEvent): void => {
    const node = moved() || (event.target as Element).closest(".node") ? undefined : nodeAt(event);
    if (node) open(node);
  };
  return (
    <div
      class={hovered !== null ? "surface over" : "surface"}
      ref={box}
      data-nodes={drawn.structure.nodes.length}
      tabIndex={0}
      role="group"
      aria-label="Graph. Arrow keys move along it, Enter opens, ? lists the keys."
      onPointerMove={follow}
      onPointerLeave={() => hover(null)}
      onClick={click}
    >
      <canvas ref={canvas} aria-hidden="true" />
      <div class="layer" ref={layer}>
        {visible.map((node) => {
          const place = drawn.layout.places.get(node.id);
          if (!place) return null;
          const look = emphasis(node.id);
          return (
            <NodeBox
              key={node.id}
              node={node}
              place={place}
              states={states}
              look={look}
              current={node.id === selected}
              cursor={node.id === cursor}
              moved={moved}
            />
          );
        })}
      </div>
    </div>
  );
}

function framesOf({ structure, layout }: Drawn): Frame[] {
  return layout.blocks.map(({ box, kin, parts }) => ({ box, label: kin.length ? `${kin.map((id) => structure.labels.get(id)).join(", ")} · ${parts}` : "" }));
}

function drawnEdges({ structure, layout }: Drawn): DrawnEdge[] {
  return structure.edges.map((edge, index) => {
    const path = layout.paths[index] as number[];
    return { path, box: boxOf(path), after: edge.after, emphasis: "plain" };
  });
}

/** How far around the window is drawn, so that a small move needs no new drawing. */
const marginOf = (window: Size): number => Math.min(320, Math.round(Math.max(window.width, window.height) / 4));

/** Moves what is drawn with the view, and has it drawn again when it does not suffice. */
class Painter {
  paint: (view: Viewport, window: Size) => void = () => undefined;
  window: Size = { width: 0, height: 0 };
  #elements: { box: HTMLElement; canvas: HTMLCanvasElement; layer: HTMLElement } | null = null;
  #painted: Viewport | null = null;
  #frame = 0;
  #rest: ReturnType<typeof setTimeout> | undefined;

  attach(box: HTMLElement, canvas: HTMLCanvasElement, layer: HTMLElement): void {
    this.#elements = { box, canvas, layer };
    this.measure();
  }

  detach(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#rest);
    this.#elements = null;
    this.window = { width: 0, height: 0 };
  }

  /** The size of the window, which may have changed. */
  measure(): Size {
    if (!this.#elements) return this.window;
    const { box, canvas } = this.#elements;
    if (box.clientWidth === this.window.width && box.clientHeight === this.window.height) return this.window;
    this.window = { width: box.clientWidth, height: box.clientHeight };
    const margin = marginOf(this.window);
    canvas.style.left = canvas.style.top = `${-margin}px`;
    canvas.style.width = `${this.window.width + 2 * margin}px`;
    canvas.style.height = `${this.window.height + 2 * margin}px`;
    this.#painted = null;
    return this.window;
  }

  get view(): Viewport {
    return seat.view ?? { left: 0, top: 0, scale: 1 };
  }

  /** Look elsewhere, from the next frame on. */
  look(view: Viewport): void {
    seat.view = view;
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#move());
  }

  /** Draw what has changed. */
  repaint(): void {
    this.#painted = null;
    if (seat.view) this.look(seat.view); // else nobody has looked yet
  }

  #move(): void {
    this.#frame = 0;
    if (!this.#elements || !this.window.width) return;
    const { view } = this;
    const painted = this.#painted;
    const ratio = painted ? view.scale / painted.scale : 1;
    const margin = marginOf(this.window);
    const enough = painted && ratio > 0.7 && ratio < 1.4 && contains(seen(painted, this.window, margin), seen(view, this.window));
    clearTimeout(this.#rest);
    if (!enough) this.#paint(view);
    else if (ratio !== 1) this.#rest = setTimeout(() => this.repaint(), REST); // until then, it is a little blurred
    this.#place(view, margin);
  }

  #paint(view: Viewport): void {
    this.#painted = view;
    this.paint(view, this.window);
  }

  #place(view: Viewport, margin: number): void {
    const painted = this.#painted;
    if (!this.#elements || !painted) return;
    const { canvas, layer } = this.#elements;
    const ratio = view.scale / painted.scale;
    const [x, y] = [view.left - ratio * painted.left + margin * (1 - ratio), view.top - ratio * painted.top + margin * (1 - ratio)];
    canvas.style.transform = `translate(${x}px, ${y}px) scale(${ratio})`;
    layer.style.transform = `translate(${view.left}px, ${view.top}px) scale(${view.scale})`;
  }
}
