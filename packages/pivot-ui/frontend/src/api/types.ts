// The answers of the server. Shapes that commands print with --json are documented in docs/reference/json-schemas.md.

export type State = "cached" | "stale" | "blocked" | "frozen" | "always";

export interface Project {
  name: string;
  root: string;
  version: string;
  python: string;
  allow_run: boolean;
  exported: boolean;
  editor: { kind: "link" | "command"; label: string; template: string } | null;
  revision: { commit: string; branch: string | null; dirty: boolean } | null;
}

export interface GraphStage {
  name: string;
  address: string;
  pipeline: string;
  family: string | null;
  kind: "function" | "shell" | "notebook";
  deps: string[];
  outs: { path: string; cache: boolean }[];
  upstream: string[];
  after: string[];
  file: string;
  line: number;
  desc: string;
  frozen: boolean;
  always: boolean;
  executor: string | null;
}

export interface GraphArtifact {
  path: string;
  kind: "source" | "out" | "tracked";
  directory: boolean;
  writer: string | null;
  readers: string[];
  view: "metric" | "plot" | null;
}

export interface Graph {
  stages: GraphStage[];
  artifacts: GraphArtifact[];
  broken: { file: string; error: string; hint: string | null }[];
}

interface FactChange {
  reason: string;
  old: string | null;
  new: string | null;
  key?: string;
  name?: string;
  path?: string;
  file?: string | null;
  line?: number | null;
  via?: string[];
  diff?: string | null;
}

interface StageStatus {
  name: string;
  address: string;
  status: "cached" | "stale";
  state: State;
  reason: string;
  will_run: boolean;
  action: string;
  reasons: string[];
  code_changes: FactChange[];
  library_changes: FactChange[];
  param_changes: FactChange[];
  variable_changes: { name: string; old: string | null; new: string | null; place: string }[];
  env_changes: FactChange[];
  dep_changes: FactChange[];
  out_changes: FactChange[];
  upstream_always: string[];
  upstream_stale: string[];
  unresolved: { reason: string; file: string | null; line: number | null }[];
  variables_read: string[];
}

export interface Status {
  stages: StageStatus[];
  tracked_files: { path: string; status: string; size: number }[];
  suggestions: string[];
  computed: string;
  problem: { error: string; hint: string | null; traceback: string } | null;
}

export interface SourceChange {
  key: string;
  name: string;
  file: string | null;
  line: number | null;
  via: string[];
  reason: string;
  old_text: string | null;
  new_text: string | null;
  diff: string | null;
  known: boolean;
}

export interface FingerprintEntry {
  key: string;
  digest: string;
  file: string | null;
  line: number | null;
  via?: string[];
}

export interface StageDetail {
  address: string;
  name: string;
  desc: string;
  doc: string;
  signature: string;
  kind: "function" | "shell" | "notebook";
  command: string | null;
  source: { file: string; line: number; text: string; cells: { number: number; text: string }[] } | null;
  state: State;
  explanation: StageStatus;
  changes: SourceChange[];
  compared: { kind: string; key: string; value: string; file: string | null; line: number | null; how: string }[];
  fingerprint: {
    entries: FingerprintEntry[];
    observed: FingerprintEntry[];
    libraries: { name: string; version: string; names: string[] }[];
    unresolved: { reason: string; file: string | null; line: number | null }[];
  };
  deps: { path: string; state: string; digest: string | null; recorded: string | null; size: number | null; writer: string | null }[];
  outs: {
    path: string;
    state: string;
    digest: string | null;
    recorded: string | null;
    size: number | null;
    view: string | null;
    cache: boolean;
  }[];
  params: Record<string, string>;
  history: {
    run: number;
    began: string;
    state: string;
    seconds: number | null;
    cpu: number | null;
    memory: number | null;
    combination?: string | null;
    problem?: string;
  }[];
  undeclared: string[];
  variables_read: string[];
}

export interface RunStage {
  name: string;
  address: string;
  combination: string | null;
  state: string;
  began: number | null;
  seconds: number | null;
  reasons: string[];
  changes: { reason: string; key: string }[];
  cpu: number | null;
  memory: number | null;
  problem: string;
  undeclared: string[];
  worker: string | null;
}

export interface Run {
  run: number;
  began: string;
  command: string;
  state: string;
  problem: string;
  seconds: number | null;
  counts: Record<string, number>;
  stages: RunStage[];
  phases?: Phase[];
}

/** Time that the command itself took. */
export interface Phase {
  phase: string;
  of: string;
  began: number;
  seconds: number | null;
  libraries: Record<string, number>;
}

export interface Command {
  state: "running" | "ended";
  words: string[];
  exit_code: number | null;
  lines: string[];
}

export interface Log {
  address: string;
  state: string;
  text: string;
  truncated: boolean;
  size: number;
  path: string;
}

interface Column {
  name: string;
  type: string;
}

export interface Preview {
  path: string;
  side: string;
  kind: "table" | "json" | "text" | "image" | "plot" | "directory" | "binary" | "absent" | "too_large";
  size: number | null;
  digest: string | null;
  title: string;
  problem: { error: string; hint: string | null } | null;
  columns?: Column[];
  rows?: unknown[][];
  offset?: number;
  total?: number | null;
  more?: boolean;
  reader?: string;
  value?: unknown;
  cut?: boolean;
  text?: string;
  media?: string;
  width?: number | null;
  height?: number | null;
  spec?: Record<string, unknown>;
  entries?: { name: string; kind: string; size: number | null }[];
  head?: string;
  notes?: string[];
  bound?: number;
  /** Where an artifact that is absent can be found, and what brings it. */
  where?: "cache" | "remote" | "nowhere" | "outside";
  command?: string | null;
}

export interface Revisions {
  workspace: boolean;
  branches: string[];
  tags: string[];
  commits: { commit: string; short: string; subject: string; time: string }[];
}

/** A value on two sides; a key is absent where there is none. */
export interface ValueChange {
  name: string;
  old?: unknown;
  new?: unknown;
  changed: boolean;
  change?: unknown;
}

export interface OutChange {
  path: string;
  stage: string;
  left: { digest: string; size: number | null } | null;
  right: { digest: string; size: number | null } | null;
  same: boolean;
}

export interface Plot {
  path: string;
  stage: string;
  stale: boolean | null;
  spec: Record<string, unknown> | null;
  images: Record<string, string | null> | null;
  problems: string[];
}

export interface Plots {
  revisions: string[];
  plots: Plot[];
}

export interface Comparison {
  left: string;
  right: string;
  params: { stage: string; values: ValueChange[] }[];
  metrics: { path: string; stage: string; values: ValueChange[] }[];
  outs: OutChange[];
  plots: Plots;
  problems: { error: string; hint: string | null }[];
}

/** A row of a sweep's table. */
export interface Result {
  id: string | null;
  recorded: string | null;
  seconds: number | null;
  current: boolean;
  stale: string[];
  params: Record<string, unknown>;
  metrics: Record<string, unknown>;
  stages: string[];
}
