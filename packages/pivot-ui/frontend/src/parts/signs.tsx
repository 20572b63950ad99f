// The sign of a state: a shape and a colour, since colours alone do not tell everybody apart.
import type { JSX } from "preact";

const PATHS: Record<string, string> = {
  cached: "M2.5 6.5 5 9l4.5-6",
  ran: "M2.5 6.5 5 9l4.5-6",
  done: "M2.5 6.5 5 9l4.5-6",
  restored: "M9.5 4A4 4 0 1 0 10 7M10 2v2.5H7.5",
  stale: "M6 1.5v5.5M6 9.6v.9",
  blocked: "M2.8 2.8l6.4 6.4M6 1.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 1 1 0-9",
  failed: "M2.5 2.5l7 7M9.5 2.5l-7 7",
  running: "M3.5 2v8l6-4z",
  frozen: "M6 1v10M1.7 3.5l8.6 5M10.3 3.5l-8.6 5",
  always: "M2 6a4 4 0 0 1 7-2.6M10 6a4 4 0 0 1-7 2.6M9 1v2.5H6.5M3 11V8.5H5.5",
  inputs_changed: "M2 9.5l1-3 5-5 2 2-5 5z",
  interrupted: "M3 3h6v6H3z",
  stopped: "M3 3h6v6H3z",
  unknown: "M4 4.2a2 2 0 1 1 2.8 1.9c-.6.3-.8.6-.8 1.2M6 9.6v.6",
};

const ALIKE: Record<string, string> = {
  "not done": "stale",
  died: "failed",
  ran: "cached",
  done: "cached",
  restored: "cached",
  inputs_changed: "stale",
  interrupted: "stale",
  stopped: "stale",
};

/** The class that colours a state. */
export const toneOf = (state: string): string => `tone-${ALIKE[state] ?? state}`;

export function Sign({ state }: { state: string }): JSX.Element {
  const path = PATHS[state] ?? PATHS[ALIKE[state] ?? ""] ?? PATHS["unknown"];
  return (
    <svg class="sign" viewBox="0 0 12 12" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

/** The sign and the word of a state. */
export function Badge({ state, word }: { state: string; word?: string }): JSX.Element {
  return (
    <span class={`badge ${toneOf(state)}`}>
      <Sign state={state} />
      {word ?? state.replace("_", " ")}
    </span>
  );
}
