// Says runs that begin and end, and what edits make of the stages, to those who do not see it.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { newestRun } from "../api/live.ts";
import { status } from "../api/shared.ts";
import { useStore } from "../store.ts";
import { editSaid, runSaid } from "./announced.ts";

export function Announcements(): JSX.Element {
  const run = useStore(newestRun);
  const known = useStore(status);
  const before = useRef({ run, known });
  const [said, say] = useState("");
  useEffect(() => {
    const old = before.current;
    before.current = { run, known };
    const text = runSaid(old.run, run) || editSaid(old.known?.stages ?? [], known?.stages ?? []);
    if (text) say(text);
  }, [run, known]);
  return (
    <p class="unseen announcements" role="status">
      {said}
    </p>
  );
}
