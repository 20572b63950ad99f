// Mouse, wheel and touch: drag moves the graph, the wheel and two fingers zoom it.
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { pan, zoomAt, type Viewport } from "./viewport.ts";

const CLICK = 4;

interface Viewer {
  view: Viewport;
  look: (view: Viewport) => void;
}

/** Returns whether the pointer has moved since it went down: then a click is the end of a drag. */
export function usePointer(box: RefObject<HTMLElement | null>, viewer: Viewer): () => boolean {
  const moved = useRef(false);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const down = new Map<number, { x: number; y: number }>();
    let start = { x: 0, y: 0 };
    const at = (event: MouseEvent): { x: number; y: number } => {
      const { left, top } = element.getBoundingClientRect();
      return { x: event.clientX - left, y: event.clientY - top };
    };
    const press = (event: PointerEvent): void => {
      if (event.button !== 0) return;
      down.set(event.pointerId, at(event));
      if (down.size > 1) return;
      start = at(event);
      moved.current = false;
    };
    const move = (event: PointerEvent): void => {
      if (!event.buttons) down.delete(event.pointerId); // it went up elsewhere
      const before = down.get(event.pointerId);
      if (!before) return;
      const now = at(event);
      if (!moved.current && Math.hypot(now.x - start.x, now.y - start.y) < CLICK && down.size === 1) return;
      if (!moved.current) element.setPointerCapture(event.pointerId);
      moved.current = true;
      const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
      if (other) viewer.look(pinched(viewer.view, other, before, now));
      else viewer.look(pan(viewer.view, now.x - before.x, now.y - before.y));
      down.set(event.pointerId, now);
    };
    const release = (event: PointerEvent): void => void down.delete(event.pointerId);
    const wheel = (event: WheelEvent): void => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      if (event.shiftKey) return viewer.look(pan(viewer.view, -(event.deltaX + event.deltaY) * lines, 0));
      const { x, y } = at(event);
      const strength = event.ctrlKey ? 0.01 : 0.0015;
      return viewer.look(zoomAt(viewer.view, x, y, Math.exp(-event.deltaY * lines * strength)));
    };
    element.addEventListener("pointerdown", press);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", release);
    element.addEventListener("pointercancel", release);
    element.addEventListener("wheel", wheel, { passive: false });
    return () => {
      element.removeEventListener("pointerdown", press);
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerup", release);
      element.removeEventListener("pointercancel", release);
      element.removeEventListener("wheel", wheel);
    };
  }, []);
  return () => moved.current;
}

function pinched(view: Viewport, other: { x: number; y: number }, before: { x: number; y: number }, now: { x: number; y: number }): Viewport {
  const distance = (from: typeof now, to: typeof now): number => Math.max(1, Math.hypot(from.x - to.x, from.y - to.y));
  const middle = { x: (other.x + now.x) / 2, y: (other.y + now.y) / 2 };
  return zoomAt(pan(view, (now.x - before.x) / 2, (now.y - before.y) / 2), middle.x, middle.y, distance(other, now) / distance(other, before));
}
