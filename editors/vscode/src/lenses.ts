// From the answer of `pivot status --json --explain` to the lines above the stages of a document; pure.

export interface Stage {
  address: string;
  file: string | null;
  line: number | null;
  status: "cached" | "stale";
  summary: string;
}

/** What is known of a project: the stages at the last answer, and why there is no newer one. */
export interface Look {
  stages: Stage[];
  problem?: string;
}

/** A line of text above a line of the document, which begins with 1; a click calls the command. */
export interface Lens {
  line: number;
  title: string;
  command: "pivot.output" | "pivot.explain" | "pivot.run" | "pivot.graph";
  addresses: string[];
}

const PIPELINE = /(^|\/)(pipeline\.py|pivot\.yaml)$/;

/** The stages in the answer, which is checked as far as it is used. */
export function readStages(answer: string): Stage[] {
  const stages: unknown = (JSON.parse(answer) as { stages?: unknown }).stages;
  if (!Array.isArray(stages)) throw new Error("there is no list of stages in the answer of Pivot");
  return stages as Stage[];
}

/** The lenses of a document; its path is relative to the project, or absolute outside it, as in the answer. */
export function lenses(look: Look, file: string): Lens[] {
  const lines = new Map<number, Stage[]>();
  for (const stage of look.stages)
    if (stage.file === file && stage.line !== null) lines.set(stage.line, [...(lines.get(stage.line) ?? []), stage]);
  if (look.problem !== undefined)
    return lines.size > 0 || PIPELINE.test(file)
      ? [{ line: 1, title: "pivot: cannot load (see output)", command: "pivot.output", addresses: [] }]
      : [];
  return [...lines].flatMap(([line, stages]) => {
    const addresses = stages.map((stage) => stage.address);
    return [
      { line, title: title(stages), command: "pivot.explain", addresses },
      { line, title: "Run", command: "pivot.run", addresses },
      { line, title: "Show graph", command: "pivot.graph", addresses },
    ] satisfies Lens[];
  });
}

/** The state of the stages of one function: a family has several. */
function title(stages: Stage[]): string {
  const stale = stages.filter((stage) => stage.status === "stale");
  const first = stale[0] ?? stages[0];
  if (stages.length === 1 || first === undefined) return first?.summary ?? "";
  if (stale.length === 0) return `${stages.length} stages: ${first.summary}`;
  return `${stale.length} of ${stages.length} stages ${first.summary}`;
}
