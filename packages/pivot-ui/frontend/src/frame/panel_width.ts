// The part of the window that a panel takes beside the graph; the browser remembers it.
import { Store } from "../store.ts";

export const [LEAST, MOST, USUAL] = [0.3, 0.7, 0.5];
const STEP = 0.02;
const NAME = "pivot-panel";

const bounded = (part: number): number => (Number.isFinite(part) ? Math.min(MOST, Math.max(LEAST, part)) : USUAL);

function remembered(): number {
  try {
    return bounded(Number.parseFloat(localStorage.getItem(NAME) ?? ""));
  } catch {
    return USUAL; // storage may be forbidden
  }
}

export const panelPart = new Store(remembered());

export function setPanelPart(part: number): void {
  panelPart.set(bounded(part));
  try {
    localStorage.setItem(NAME, String(panelPart.value));
  } catch {
    // it holds for this page alone
  }
}

/** The width after a key, or null if it means nothing here: the arrows move the line before the panel. */
export function partByKey(key: string, part: number): number | null {
  const parts: Record<string, number> = { ArrowLeft: part + STEP, ArrowRight: part - STEP, Home: MOST, End: LEAST, Enter: USUAL };
  const next = parts[key];
  return next === undefined ? null : bounded(next);
}
