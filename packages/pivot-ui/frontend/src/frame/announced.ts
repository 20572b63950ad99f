// What is said to those who do not see the page.
import type { Run, Status } from "../api/types.ts";
import { counted } from "../parts/formats.ts";

/** That a run has begun, or how it ended; nothing about what happens in between. */
export function runSaid(before: Run | null, now: Run | null): string {
  if (now === null || (before !== null && now.run < before.run)) return "";
  const known = before !== null && before.run === now.run;
  if (now.state === "running") return known ? "" : `Run ${now.run} has begun: ${now.command}`;
  if (before === null || (known && before.state === now.state)) return ""; // it ended before the page was opened, or has been said
  const failed = now.stages.filter((stage) => stage.state === "failed").length;
  return `Run ${now.run} has ended: ${now.state.replace("_", " ")}${failed ? `, ${counted(failed, "stage")} failed` : ""}`;
}

const MOST_NAMES = 3;

/** The stages that an edit has made stale, by the status before and now; those of a run change too often to be said. */
export function editSaid(before: readonly Known[], now: readonly Known[]): string {
  const old = new Map(before.map(({ address, state }) => [address, state]));
  const stale = now.filter(({ address, state }) => state === "stale" && old.get(address) === "cached").map(({ address }) => address);
  if (!stale.length) return "";
  return `${stale.length > MOST_NAMES ? counted(stale.length, "stage") : stale.join(", ")} now stale`;
}

type Known = Pick<Status["stages"][number], "address" | "state">;
