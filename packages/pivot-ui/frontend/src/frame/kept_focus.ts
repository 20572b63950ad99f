// Keys go on where the user is: if what had the focus is gone, the place that took its part of the page has it.
import { useEffect, useRef } from "preact/hooks";

/** What is asked in turn: the panel that has been opened, the graph without one, any other view. */
const NEXT = [".panel-title h2", ".whole .surface", "#main"];

/** Look after the focus whenever the place in the page changes. */
export function useKeptFocus(place: unknown): void {
  const last = useRef<Element | null>(null);
  useEffect(() => {
    const take = (event: FocusEvent): void => void (last.current = event.target as Element);
    document.addEventListener("focusin", take);
    return () => document.removeEventListener("focusin", take);
  }, []);
  useEffect(() => {
    if (last.current === null || last.current.isConnected || document.activeElement !== document.body) return;
    last.current = null;
    const places = NEXT.map((selector) => document.querySelector<HTMLElement>(selector));
    places.find((element) => element !== null)?.focus({ preventScroll: true });
  }, [place]);
}
