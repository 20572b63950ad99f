// Which nodes and edges are drawn: the graph with some of its groups collapsed. States are no part of it, so that a run
// that works changes no layout.
import type { Graph, GraphArtifact, GraphStage } from "../../api/types.ts";

type NodeKind = "stage" | "artifact" | "family" | "pipeline";

export interface GraphNode {
  id: string;
  kind: NodeKind;
  label: string;
  title: string;
  width: number;
  height: number;
  /** The addresses of the stages that it stands for; none for an artifact. */
  stages: readonly string[];
  /** The group that a click on its handle collapses; for an artifact, that of the stage that writes it. */
  group: string | null;
  stage?: GraphStage;
  artifact?: GraphArtifact;
}

interface GraphEdge {
  from: string;
  to: string;
  /** The second stage runs after the first, and reads nothing of it. */
  after: boolean;
}

export interface Group {
  id: string;
  kind: "family" | "pipeline";
  label: string;
  title: string;
  stages: GraphStage[];
}

export interface Structure {
  nodes: GraphNode[];
  edges: GraphEdge[];
  byId: ReadonlyMap<string, GraphNode>;
  /** The node that shows a stage or an artifact: itself, or a group that is collapsed. */
  shownBy: ReadonlyMap<string, string>;
  upstream: ReadonlyMap<string, readonly string[]>;
  downstream: ReadonlyMap<string, readonly string[]>;
  /** The names of groups. */
  labels: ReadonlyMap<string, string>;
}

export const stageId = (address: string): string => `s:${address}`;
export const artifactId = (path: string): string => `a:${path}`;
const familyId = (stage: GraphStage): string => `f:${stage.pipeline}.${stage.family}`;
const pipelineId = (pipeline: string): string => `p:${pipeline}`;

/** Families with more members begin collapsed. */
const LARGE_FAMILY = 5;
/** Pipelines begin collapsed if more nodes would be drawn. */
const LARGE_GRAPH = 150;
const WIDEST = 240;

/** The groups that can be collapsed, by id: pipelines if there are several, and families of several stages. */
export function groupsOf(graph: Graph): Map<string, Group> {
  const groups = new Map<string, Group>();
  const add = (id: string, kind: Group["kind"], label: string, title: string, stage: GraphStage): void => {
    const group = groups.get(id);
    if (group) group.stages.push(stage);
    else groups.set(id, { id, kind, label, title, stages: [stage] });
  };
  const pipelines = new Set(graph.stages.map((stage) => stage.pipeline));
  for (const stage of graph.stages) {
    if (pipelines.size > 1) add(pipelineId(stage.pipeline), "pipeline", stage.pipeline, `pipeline ${stage.pipeline}`, stage);
    if (stage.family !== null) {
      const family = familyNameOf(stage);
      add(familyId(stage), "family", family, `${stage.pipeline}.${family}`, stage);
    }
  }
  for (const [id, group] of groups) if (group.kind === "family" && group.stages.length < 2) groups.delete(id);
  return groups;
}

const familyNameOf = (stage: GraphStage): string => (stage.family ?? "").replace(`${stage.pipeline}.`, "");

/** The groups that begin collapsed. */
export function collapsedAtFirst(graph: Graph): Set<string> {
  const groups = [...groupsOf(graph).values()];
  const collapsed = new Set(groups.filter((group) => group.kind === "family" && group.stages.length > LARGE_FAMILY).map((group) => group.id));
  const pipelines = groups.filter((group) => group.kind === "pipeline");
  if (pipelines.length && structureOf(graph, collapsed, true).nodes.length > LARGE_GRAPH) for (const group of pipelines) collapsed.add(group.id);
  return collapsed;
}

/** The nodes and edges, with these groups collapsed, with or without artifacts. */
export function structureOf(graph: Graph, collapsed: ReadonlySet<string>, artifacts: boolean): Structure {
  const groups = groupsOf(graph);
  const nodes = new Map<string, GraphNode>();
  const shownBy = new Map<string, string>();
  for (const stage of graph.stages) {
    const group = groupThatShows(stage, groups, collapsed);
    const node = group ? groupNode(group) : stageNode(stage, groups);
    if (!nodes.has(node.id)) nodes.set(node.id, node);
    shownBy.set(stageId(stage.address), node.id);
  }
  const edges = new Map<string, GraphEdge>();
  const join = (from: string | undefined, to: string | undefined, after = false): void => {
    if (from === undefined || to === undefined || from === to) return;
    const key = JSON.stringify([from, to]);
    const edge = edges.get(key);
    if (!edge) edges.set(key, { from, to, after });
    else if (!after) edge.after = false;
  };
  const byStage = (address: string): string | undefined => shownBy.get(stageId(address));
  for (const artifact of artifacts ? graph.artifacts : []) {
    const id = artifactId(artifact.path);
    const within = groupAround(artifact, byStage, nodes);
    shownBy.set(id, within ?? id);
    if (within === null) nodes.set(id, artifactNode(artifact, nodes.get(shownBy.get(stageId(artifact.writer ?? "")) ?? "")?.group ?? null));
    if (artifact.writer !== null) join(byStage(artifact.writer), within ?? id);
    for (const reader of artifact.readers) join(within ?? id, byStage(reader));
  }
  for (const stage of graph.stages) {
    if (!artifacts) for (const address of stage.upstream) join(byStage(address), byStage(stage.address));
    for (const address of stage.after) join(byStage(address), byStage(stage.address), true);
  }
  const labels = new Map([...groups].map(([id, group]) => [id, labelOf(group)]));
  return joined({ nodes: [...nodes.values()], edges: [...edges.values()], shownBy, labels });
}

function joined({ nodes, edges, ...rest }: Pick<Structure, "nodes" | "edges" | "shownBy" | "labels">): Structure {
  const [upstream, downstream] = [new Map<string, string[]>(), new Map<string, string[]>()];
  for (const node of nodes) upstream.set(node.id, []), downstream.set(node.id, []);
  for (const edge of edges) {
    downstream.get(edge.from)?.push(edge.to);
    upstream.get(edge.to)?.push(edge.from);
  }
  return { ...rest, nodes, edges, upstream, downstream, byId: new Map(nodes.map((node) => [node.id, node])) };
}

/** The part of a structure with these nodes. */
export function partOf(structure: Structure, ids: ReadonlySet<string>): Structure {
  return joined({
    nodes: structure.nodes.filter((node) => ids.has(node.id)),
    edges: structure.edges.filter((edge) => ids.has(edge.from) && ids.has(edge.to)),
    shownBy: new Map([...structure.shownBy].filter(([, id]) => ids.has(id))),
    labels: structure.labels,
  });
}

function groupThatShows(stage: GraphStage, groups: ReadonlyMap<string, Group>, collapsed: ReadonlySet<string>): Group | null {
  for (const id of [pipelineId(stage.pipeline), familyId(stage)]) {
    const group = groups.get(id);
    if (group && collapsed.has(id)) return group;
  }
  return null;
}

/** The collapsed group that an artifact is drawn in: what a group writes, and what it alone reads. */
function groupAround(
  artifact: GraphArtifact,
  byStage: (address: string) => string | undefined,
  nodes: ReadonlyMap<string, GraphNode>,
): string | null {
  const ends = artifact.writer !== null ? [artifact.writer] : artifact.readers;
  const ids = new Set(ends.map(byStage));
  const [id] = ids;
  if (ids.size !== 1 || id === undefined) return null;
  return nodes.get(id)?.stage === undefined ? id : null;
}

// The drawing cuts longer names, so that this need not be exact.
const widthOf = (text: string, letter: number, rest: number): number => Math.round(Math.min(WIDEST, Math.max(64, text.length * letter + rest)));

function stageNode(stage: GraphStage, groups: ReadonlyMap<string, Group>): GraphNode {
  const group = [familyId(stage), pipelineId(stage.pipeline)].find((id) => groups.has(id)) ?? null;
  const label = stage.name;
  const title = [stage.address, stage.desc].filter(Boolean).join(": ");
  return { id: stageId(stage.address), kind: "stage", label, title, width: widthOf(label, 8.2, 56), height: 36, stages: [stage.address], group, stage };
}

const labelOf = (group: Group): string => (group.kind === "family" ? `${group.label}@…` : group.label);

function groupNode(group: Group): GraphNode {
  const label = labelOf(group);
  return {
    id: group.id,
    kind: group.kind,
    label,
    title: group.title,
    width: Math.max(180, widthOf(label, 8.2, 70)),
    height: 54,
    stages: group.stages.map((stage) => stage.address),
    group: group.id,
  };
}

function artifactNode(artifact: GraphArtifact, group: string | null): GraphNode {
  const parts = artifact.path.split("/");
  const label = parts.length > 2 ? `…/${parts.slice(-2).join("/")}` : artifact.path;
  return { id: artifactId(artifact.path), kind: "artifact", label, title: artifact.path, width: widthOf(label, 7.3, 48), height: 26, stages: [], group, artifact };
}

export interface TreeRow {
  id: string;
  level: number;
  label: string;
  /** Whether its rows are shown; null for a stage. */
  open: boolean | null;
  stages: readonly string[];
  address: string | null;
  position: number;
  siblings: number;
}

/** The rows of the list: pipelines, their families, their stages; of stages for which `keep` is true. */
export function treeRows(graph: Graph, open: (id: string) => boolean, keep: (address: string) => boolean): TreeRow[] {
  const groups = groupsOf(graph);
  const kept = graph.stages.filter((stage) => keep(stage.address));
  const grouped = (stages: GraphStage[], idOf: (stage: GraphStage) => string): (GraphStage | [Group, GraphStage[]])[] => {
    const [found, members] = [[] as (GraphStage | [Group, GraphStage[]])[], new Map<string, GraphStage[]>()];
    for (const stage of stages) {
      const group = groups.get(idOf(stage));
      const known = members.get(idOf(stage));
      if (!group) found.push(stage);
      else if (known) known.push(stage);
      else {
        const first = [stage];
        members.set(group.id, first);
        found.push([group, first]);
      }
    }
    return found;
  };
  const rows: TreeRow[] = [];
  const add = (entries: (GraphStage | [Group, GraphStage[]])[], level: number): void => {
    const siblings = entries.length;
    entries.forEach((entry, index) => {
      const position = index + 1;
      if (!Array.isArray(entry)) {
        const { address, name } = entry;
        rows.push({ id: stageId(address), level, label: name, open: null, stages: [address], address, position, siblings });
        return;
      }
      const [group, stages] = entry;
      const shown = open(group.id);
      const addresses = stages.map((stage) => stage.address);
      rows.push({ id: group.id, level, label: group.label, open: shown, stages: addresses, address: null, position, siblings });
      if (shown) add(group.kind === "pipeline" ? grouped(stages, familyId) : stages, level + 1);
    });
  };
  const several = [...groups.values()].some((group) => group.kind === "pipeline");
  add(grouped(kept, several ? (stage) => pipelineId(stage.pipeline) : familyId), 1);
  return rows;
}
