// From the answer of `pivot status --json --explain` to the lines above the stages of a document; pure.

export interface Stage {
  address: string;
  file: string | null;
  line: number | null;
  status: "cached" | "stale";
  summary: string;
}

/** Text above a line of the document, which begins with 1; a click calls the command. */
export interface Lens {
  line: number;
  title: string;
  command: "pivot.output" | "pivot.explain" | "pivot.run" | "pivot.graph";
  addresses: string[];
}

const PIPELINE = /(^|\/)(pipeline\.py|pivot\.yaml)$/;

/** The lenses of a document; its path is relative to the project. A problem takes their place. */
export function lenses(stages: Stage[], problem: string, file: string): Lens[] {
  const here = stages.filter((stage) => stage.file === file && stage.line !== null);
  if (problem !== "") {
    const title = `pivot: ${/^error: (.+)/m.exec(problem)?.[1] ?? problem.split("\n")[0]}`;
    return here.length > 0 || PIPELINE.test(file) ? [{ line: 1, title, command: "pivot.output", addresses: [] }] : [];
  }
  return [...new Set(here.map((stage) => stage.line ?? 1))].flatMap((line): Lens[] => {
    const those = here.filter((stage) => stage.line === line);
    const addresses = those.map((stage) => stage.address);
    return [
      { line, title: state(those), command: "pivot.explain", addresses },
      { line, title: "Run", command: "pivot.run", addresses },
      { line, title: "Show graph", command: "pivot.graph", addresses },
    ];
  });
}

/** The state of the stages of one line: a family has several. */
function state(stages: Stage[]): string {
  const stale = stages.filter((stage) => stage.status === "stale");
  const summary = (stale[0] ?? stages[0])?.summary ?? "";
  if (stages.length === 1) return summary;
  return stale.length === 0 ? `${stages.length} stages: ${summary}` : `${stale.length} of ${stages.length} stages ${summary}`;
}
