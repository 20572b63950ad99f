// The command that the page has started, in words.
import type { Command } from "../api/types.ts";

const INTERRUPTED = 130;

type Outcome = "running" | "done" | "stopped" | "failed";

export function outcomeOf(said: Command): Outcome {
  if (said.state === "running") return "running";
  if (said.exit_code === 0) return "done";
  return said.exit_code === INTERRUPTED ? "stopped" : "failed";
}

/** The command as people type it. */
export const typed = (said: Command): string => ["pivot", ...said.words].join(" ");
