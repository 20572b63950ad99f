// Draws edges, and nodes that are too small to read, on a canvas.
import { overlaps, seen, type Size, type Viewport } from "./viewport.ts";
import type { Box, Path } from "../edge_routes.ts";

export interface DrawnEdge {
  path: Path;
  box: Box;
  after: boolean;
  emphasis: Emphasis;
}

interface DrawnNode {
  box: Box;
  label: string;
  tone: string;
  round: boolean;
  emphasis: Emphasis;
}

export type Emphasis = "plain" | "strong" | "dim";

interface Colours {
  ground: string;
  raised: string;
  faint: string;
  ink: string;
  line: string;
  edge: string;
  accent: string;
  fills: ReadonlyMap<string, string>;
  marks: ReadonlyMap<string, string>;
}

const TONES: Record<string, string> = { cached: "good", stale: "waiting", failed: "bad", blocked: "bad", frozen: "calm", always: "calm", running: "busy" };

/** The colours of the theme. */
export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const of = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const pairs = Object.entries(TONES);
  return {
    ground: of("ground"),
    raised: of("raised"),
    faint: of("faint"),
    ink: of("ink"),
    line: of("line"),
    edge: of("edge"),
    accent: of("accent"),
    fills: new Map(pairs.map(([state, tone]) => [state, of(tone)])),
    marks: new Map(pairs.map(([state, tone]) => [state, of(`${tone}-ink`)])),
  };
}

const READABLE_TEXT = 0.3;
const ARROW = 0.3;

/** Around parts that are alike. */
export interface Frame {
  box: Box;
  label: string;
}

interface Picture {
  frames: Frame[];
  edges: DrawnEdge[];
  /** None where the nodes are elements of the page. */
  nodes: DrawnNode[];
}

/** Draw what a window shows, with so many pixels around it. */
export function draw(canvas: HTMLCanvasElement, picture: Picture, view: Viewport, window: Size, margin: number, colours: Colours): void {
  const density = Math.min(2, devicePixelRatio || 1);
  const [width, height] = [Math.round((window.width + 2 * margin) * density), Math.round((window.height + 2 * margin) * density)];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  const scale = view.scale * density;
  context.setTransform(scale, 0, 0, scale, (view.left + margin) * density, (view.top + margin) * density);
  const area = seen(view, window, margin);
  drawFrames(context, picture.frames, view.scale, colours);
  drawEdges(context, picture.edges.filter((edge) => overlaps(edge.box, area)), view.scale, colours);
  drawNodes(context, picture.nodes.filter((node) => overlaps(node.box, area)), view.scale, colours);
}

/** A label is as large as it can be read; but no larger than the space above a frame, or than suits a wide one. */
const LABEL = 34;

function drawFrames(context: CanvasRenderingContext2D, frames: Frame[], scale: number, colours: Colours): void {
  context.fillStyle = colours.raised;
  context.strokeStyle = colours.line;
  context.lineWidth = Math.max(1, 0.8 / scale);
  context.beginPath();
  for (const { box } of frames) context.roundRect(box.x, box.y, box.width, box.height, 12);
  context.fill();
  context.stroke();
  context.fillStyle = colours.faint;
  context.textBaseline = "bottom";
  for (const { box, label } of frames) {
    const size = Math.min(Math.max(LABEL, box.width / 30), 13 / Math.min(1, scale));
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.fillText(label, box.x + 4, box.y - 3, box.width / 2 - 12);
  }
}

function drawEdges(context: CanvasRenderingContext2D, edges: DrawnEdge[], scale: number, colours: Colours): void {
  const width = Math.max(1.3, 0.7 / scale);
  for (const emphasis of ["dim", "plain", "strong"] as const)
    for (const after of [false, true]) {
      const some = edges.filter((edge) => edge.emphasis === emphasis && edge.after === after);
      if (!some.length) continue;
      context.globalAlpha = emphasis === "dim" ? 0.3 : 1;
      context.strokeStyle = context.fillStyle = emphasis === "strong" ? colours.accent : colours.edge;
      context.lineWidth = emphasis === "strong" ? width * 1.5 : width;
      context.setLineDash(after ? [5, 4] : []);
      context.beginPath();
      for (const { path } of some) {
        context.moveTo(path[0] as number, path[1] as number);
        for (let at = 2; at < path.length; at += 6)
          context.bezierCurveTo(path[at]!, path[at + 1]!, path[at + 2]!, path[at + 3]!, path[at + 4]!, path[at + 5]!);
      }
      context.stroke();
      if (scale >= ARROW) drawArrows(context, some);
    }
  context.setLineDash([]);
  context.globalAlpha = 1;
}

function drawArrows(context: CanvasRenderingContext2D, edges: DrawnEdge[]): void {
  context.beginPath();
  for (const { path } of edges) {
    const [x, y] = [path.at(-2) as number, path.at(-1) as number];
    const [fromX, fromY] = [path.at(-4) as number, path.at(-3) as number];
    const length = Math.hypot(x - fromX, y - fromY) || 1;
    const [dx, dy] = [(x - fromX) / length, (y - fromY) / length];
    context.moveTo(x, y);
    context.lineTo(x - 7 * dx - 3.5 * dy, y - 7 * dy + 3.5 * dx);
    context.lineTo(x - 7 * dx + 3.5 * dy, y - 7 * dy - 3.5 * dx);
  }
  context.fill();
}

function drawNodes(context: CanvasRenderingContext2D, nodes: DrawnNode[], scale: number, colours: Colours): void {
  const groups = new Map<string, DrawnNode[]>();
  for (const node of nodes) {
    const key = `${node.tone} ${node.emphasis}`;
    const known = groups.get(key);
    if (known) known.push(node);
    else groups.set(key, [node]);
  }
  for (const some of groups.values()) {
    const [{ tone, emphasis }] = some as [DrawnNode];
    context.globalAlpha = emphasis === "dim" ? 0.35 : 1;
    context.fillStyle = colours.fills.get(tone) ?? colours.ground;
    context.strokeStyle = emphasis === "strong" ? colours.accent : (colours.marks.get(tone) ?? colours.edge);
    context.lineWidth = Math.max(1, 0.8 / scale) * (emphasis === "strong" ? 2 : 1);
    context.beginPath();
    for (const { box, round } of some)
      // Corners cannot be seen at this size.
      if (scale < 0.2) context.rect(box.x, box.y, box.width, box.height);
      else context.roundRect(box.x, box.y, box.width, box.height, round ? box.height / 2 : 8);
    context.fill();
    context.stroke();
    if (scale < READABLE_TEXT) continue;
    context.fillStyle = colours.ink;
    context.textBaseline = "middle";
    for (const { box, label, round } of some) {
      context.font = round ? "12px ui-monospace, monospace" : "600 13px system-ui, sans-serif";
      context.fillText(label, box.x + 14, box.y + box.height / 2, box.width - 24);
    }
  }
  context.globalAlpha = 1;
}

/** The box around a path. */
export function boxOf(path: Path): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let at = 0; at < path.length; at += 2) {
    const [x, y] = [path[at] as number, path[at + 1] as number];
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}
