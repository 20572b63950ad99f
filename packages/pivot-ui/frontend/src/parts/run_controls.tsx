// Runs stages, and stops what this page has started; only with --allow-run.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { act } from "../api/client.ts";
import { command } from "../api/live.ts";
import { type Problem, useStore } from "../store.ts";

interface RunWish {
  targets: string[];
  only?: boolean;
  force?: boolean;
}

/** Start a run; resolves to null, or to why it did not start. */
export async function start(wish: RunWish): Promise<Problem | null> {
  try {
    await act("repro", { only: false, force: false, ...wish });
    return null;
  } catch (error) {
    return error as Problem;
  }
}

export function RunControls(): JSX.Element {
  const now = useStore(command);
  const [wrong, setWrong] = useState<Problem | null>(null);
  const busy = now?.state === "running";
  useEffect(() => setWrong(null), [busy]);
  return (
    <span class="controls">
      {wrong ? (
        <span class="badge tone-failed" role="alert" title={wrong.hint ?? undefined}>
          {wrong.error}
        </span>
      ) : null}
      {busy ? (
        <button onClick={() => void act("stop", {}).catch(setWrong)}>Stop</button>
      ) : (
        <button class="primary" onClick={() => void start({ targets: [] }).then(setWrong)}>
          Run all
        </button>
      )}
    </span>
  );
}
