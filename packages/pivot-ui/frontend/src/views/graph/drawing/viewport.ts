// Which part of the graph is seen: a point (x, y) of the graph is drawn at (x * scale + left, y * scale + top).
import type { Box } from "../edge_routes.ts";

export interface Viewport {
  left: number;
  top: number;
  scale: number;
}

export interface Size {
  width: number;
  height: number;
}

const SMALLEST = 0.004;
const LARGEST = 2.5;
const MARGIN = 28;
/** Names can still be read at this scale, and easily at the other one. */
const READABLE = 0.6;
const CLEAR = 0.8;

const bounded = (scale: number, least = SMALLEST, most = LARGEST): number => Math.min(most, Math.max(least, scale));

/** Everything in the middle of the window, as large as it fits, and never larger than life. */
export function fit(box: Box, window: Size, most = 1.1): Viewport {
  const room = { width: Math.max(40, window.width - 2 * MARGIN), height: Math.max(40, window.height - 2 * MARGIN) };
  const scale = bounded(Math.min(room.width / Math.max(1, box.width), room.height / Math.max(1, box.height)), SMALLEST, most);
  return {
    scale,
    left: (window.width - box.width * scale) / 2 - box.x * scale,
    top: (window.height - box.height * scale) / 2 - box.y * scale,
  };
}

/** As `fit`; where names could then not be read, rather the beginning of a graph that is long and narrow. */
export function overview(box: Box, window: Size, sideways: boolean, readable = 0.5): Viewport {
  const whole = fit(box, window);
  const across = sideways ? (window.height - 2 * MARGIN) / Math.max(1, box.height) : (window.width - 2 * MARGIN) / Math.max(1, box.width);
  const scale = Math.min(readable, across);
  if (scale < 1.5 * whole.scale) return whole;
  const view = { scale, left: (window.width - box.width * scale) / 2 - box.x * scale, top: (window.height - box.height * scale) / 2 - box.y * scale };
  return sideways ? { ...view, left: MARGIN - box.x * scale } : { ...view, top: MARGIN - box.y * scale };
}

/** Nearer or farther, while the point of the graph below this point of the window stays there. */
export function zoomAt(view: Viewport, x: number, y: number, factor: number): Viewport {
  const scale = bounded(view.scale * factor);
  const ratio = scale / view.scale;
  return { scale, left: x - (x - view.left) * ratio, top: y - (y - view.top) * ratio };
}

export const pan = (view: Viewport, dx: number, dy: number): Viewport => ({ ...view, left: view.left + dx, top: view.top + dy });

/** The part of the graph in the window, with so many pixels around it. */
export function seen(view: Viewport, window: Size, margin = 0): Box {
  return {
    x: (-view.left - margin) / view.scale,
    y: (-view.top - margin) / view.scale,
    width: (window.width + 2 * margin) / view.scale,
    height: (window.height + 2 * margin) / view.scale,
  };
}

/** The point of the graph at a point of the window. */
export const pointAt = (view: Viewport, x: number, y: number): Box => ({ x: (x - view.left) / view.scale, y: (y - view.top) / view.scale, width: 0, height: 0 });

export const overlaps = (one: Box, other: Box): boolean =>
  one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height;

export const contains = (outer: Box, inner: Box): boolean =>
  outer.x <= inner.x && outer.y <= inner.y && outer.x + outer.width >= inner.x + inner.width && outer.y + outer.height >= inner.y + inner.height;

/** The box around all of these. */
export function around(boxes: Iterable<Box>): Box | null {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const box of boxes) {
    [left, top] = [Math.min(left, box.x), Math.min(top, box.y)];
    [right, bottom] = [Math.max(right, box.x + box.width), Math.max(bottom, box.y + box.height)];
  }
  return left === Infinity ? null : { x: left, y: top, width: right - left, height: bottom - top };
}

/** A view with a box in it: the least move at this scale, or the box in the middle where names could not be read. */
export function reveal(view: Viewport, box: Box, window: Size): Viewport {
  if (view.scale < READABLE)
    return { scale: CLEAR, left: window.width / 2 - (box.x + box.width / 2) * CLEAR, top: window.height / 2 - (box.y + box.height / 2) * CLEAR };
  const room = seen(view, window, -MARGIN);
  if (contains(room, box)) return view;
  return pan(view, view.scale * into(room.x, room.width, box.x, box.width), view.scale * into(room.y, room.height, box.y, box.height));
}

/** How far a stretch must move to be in another one; its beginning counts most. */
function into(start: number, length: number, at: number, size: number): number {
  const over = at + size - start - length;
  if (at < start || size > length) return start - at;
  return over > 0 ? -over : 0;
}

/** The viewport after a layout has moved a node that shall stay where it is. */
export function anchored(view: Viewport, before: Box, after: Box): Viewport {
  return pan(view, (before.x - after.x) * view.scale, (before.y - after.y) * view.scale);
}
