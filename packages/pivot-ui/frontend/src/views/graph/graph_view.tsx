// The graph of the project, live.
import type { JSX } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { graph, liveStates, problem } from "../../api/shared.ts";
import { Empty, ProblemNote } from "../../parts/messages.tsx";
import { route } from "../../routes.ts";
import { useStore } from "../../store.ts";
import { along, inStates, leadingTo } from "./filter.ts";
import { FirstSteps } from "./first_steps.tsx";
import { artifactsShown, chosenStates, collapsedNow, cursor, focus, folded, listShown, onlyChosen, seat, selectedBy, sideways, wanted } from "./graph_state.ts";
import { useKeys } from "./keys.tsx";
import { layoutOf } from "./layout_client.ts";
import { spoken } from "./drawing/node_box.tsx";
import { type GraphNode, partOf, structureOf, type Structure } from "./model.ts";
import { StageTree } from "./stage_tree.tsx";
import { Surface, type Camera, type Drawn } from "./drawing/surface.tsx";
import { Toolbar, Zoom } from "./toolbar.tsx";
import type { Box } from "./edge_routes.ts";
import { anchored, around, fit, overview, reveal, zoomAt, type Size, type Viewport } from "./drawing/viewport.ts";

export function GraphView(): JSX.Element {
  const shown = useStore(graph);
  const wrong = useStore(problem);
  if (wrong && !shown?.stages.length) return <Empty>The graph is shown as soon as there are pipelines that can be read.</Empty>;
  if (!shown)
    return (
      <div class="loading" aria-busy="true">
        Importing the pipelines…
      </div>
    );
  if (!shown.stages.length)
    return (
      <>
        <BrokenNotes />
        <FirstSteps />
      </>
    );
  return <FullGraph />;
}

function FullGraph(): JSX.Element {
  const structure = useStructure();
  const drawn = useDrawn(structure);
  const states = useStore(liveStates);
  const chosen = useStore(chosenStates);
  const selected = useSelected(structure);
  const at = useStore(cursor);
  const list = useStore(listShown);
  const [width, setWidth] = useState(innerWidth);
  const [size, setSize] = useState("");
  const camera = useRef<Camera>(null);
  const searchBox = useRef<HTMLInputElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const listIsShown = list ?? width > 860;
  const origin = at !== null && drawn?.structure.byId.has(at) ? at : null;
  const related = useMemo(() => (drawn && origin !== null ? along(drawn.structure, origin, "both") : null), [drawn, origin]);
  useLayoutEffect(() => {
    const measure = (): void => setWidth(frame.current?.clientWidth ?? innerWidth);
    measure(); // before anything is drawn: with the list, the window is a smaller one
    const observer = new ResizeObserver(measure);
    if (frame.current) observer.observe(frame.current);
    return () => observer.disconnect();
  }, []);
  const act = (name: "fit" | "in" | "out"): void => {
    if (!drawn || !camera.current) return undefined;
    const window = camera.current.window();
    const view = seat.view ?? fitted(drawn, camera.current);
    if (name === "fit") return camera.current.look(fitted(drawn, camera.current, fit));
    return camera.current.look(zoomAt(view, window.width / 2, window.height / 2, name === "in" ? 1.25 : 0.8));
  };
  useKeys({ drawn, camera, searchBox, act, listIsShown });
  useView(drawn, camera, selected);
  useEffect(() => {
    if (drawn && camera.current && seat.view !== null && seat.view === seat.whole) lookAtAll(drawn, camera.current);
  }, [size]); // until the user moves it, all of the graph stays in view
  const ready = useCallback((value: Camera) => void (camera.current = value), []);
  return (
    <div class="graph" ref={frame}>
      <Toolbar searchBox={searchBox} structure={structure} listIsShown={listIsShown} />
      <BrokenNotes />
      <div class="graph-body">
        {listIsShown ? <StageTree /> : null}
        {drawn ? (
          <Surface drawn={drawn} states={states} chosen={chosen} selected={selected} cursor={origin} related={related} onReady={ready} onResize={setSize} />
        ) : (
          <div class="loading" aria-busy="true">
            Drawing…
          </div>
        )}
        <Zoom act={act} />
      </div>
      <p class="unseen" role="status">
        {origin !== null && drawn ? spoken(drawn.structure.byId.get(origin) as GraphNode, states) : ""}
      </p>
    </div>
  );
}

/** What is drawn now; it changes with the graph and the choices of the user, and not with states. */
function useStructure(): Structure {
  const shown = useStore(graph);
  const folds = useStore(folded);
  const artifacts = useStore(artifactsShown);
  const focused = useStore(focus);
  const structure = useMemo(() => {
    const whole = structureOf(shown ?? { stages: [], artifacts: [], broken: [] }, collapsedNow(), artifacts);
    const id = focused && (whole.shownBy.get(focused.id) ?? focused.id);
    return focused && id && whole.byId.has(id) ? partOf(whole, along(whole, id, focused.direction)) : whole;
  }, [shown, folds, artifacts, focused]);
  return useChosenPart(structure);
}

/** With `onlyChosen`, the part with the chosen states and what leads to it; the same one until another node is in it. */
function useChosenPart(structure: Structure): Structure {
  const only = useStore(onlyChosen);
  const chosen = useStore(chosenStates);
  const states = useStore(liveStates);
  const ids = useMemo(() => (only && chosen.size ? leadingTo(structure, structure.nodes.filter((node) => inStates(node, chosen, states))) : []), [structure, only, chosen, states]);
  return useMemo(() => (ids.length ? partOf(structure, new Set(ids)) : structure), [structure, ids.join("\n")]);
}

/** The newest structure that has been laid out. */
function useDrawn(structure: Structure): Drawn | null {
  const across = useStore(sideways);
  const [drawn, setDrawn] = useState<Drawn | null>(null);
  useEffect(() => {
    let current = true;
    const nodes = structure.nodes.map(({ id, width, height, group }) => ({ id, width, height, kin: group ?? "" }));
    const edges = structure.edges.map(({ from, to }) => ({ from, to }));
    void layoutOf({ nodes, edges, sideways: across }).then((layout) => current && setDrawn({ structure, layout }));
    return () => {
      current = false;
    };
  }, [structure, across]);
  return drawn;
}

/** The node that the open panel is about. */
function useSelected(structure: Structure): string | null {
  const here = useStore(route);
  const item = selectedBy(here);
  useEffect(() => {
    if (item !== null) wanted.set({ id: item });
  }, [item]);
  useEffect(() => {
    if (here.view === "graph" && here.query["state"]) chosenStates.set(new Set([here.query["state"]]));
  }, [here]);
  return item === null ? null : (structure.shownBy.get(item) ?? null);
}

/** Keeps the view where it is when the layout changes, and moves it to what is wanted. */
function useView(drawn: Drawn | null, camera: { current: Camera | null }, selected: string | null): void {
  const before = useRef<Drawn | null>(null);
  const want = useStore(wanted);
  useEffect(() => {
    if (selected !== null) cursor.set(selected);
  }, [selected]);
  useEffect(() => {
    if (!drawn || !camera.current) return;
    const old = before.current;
    before.current = drawn;
    if (old === drawn) return;
    if (seat.view === null || (old !== null && old.layout !== drawn.layout && !keptNode(old, drawn))) lookAtAll(drawn, camera.current);
    else if (old !== null && old.layout !== drawn.layout) camera.current.look(following(seat.view, old, drawn));
  }, [drawn]);
  useEffect(() => {
    const place = drawn && want ? drawn.layout.places.get(drawn.structure.shownBy.get(want.id) ?? want.id) : undefined;
    if (!place || !camera.current || !want) return;
    wanted.set(null);
    const frame = camera.current;
    if (seat.view === seat.whole) lookAtAll(drawn as Drawn, frame); // the panel of the node may have just taken its part of the window
    frame.look(reveal(seat.view ?? fitted(drawn as Drawn, frame), place, frame.window()));
  }, [drawn, want]);
}

/** The node that stays where it is on the screen: the one that the user is at, or one that both layouts have. */
function keptNode(old: Drawn, drawn: Drawn): string | null {
  const has = (id: string | null): boolean => id !== null && old.layout.places.has(id) && drawn.layout.places.has(id);
  if (has(cursor.value)) return cursor.value;
  return drawn.structure.nodes.find((node) => has(node.id))?.id ?? null;
}

function following(view: Viewport, old: Drawn, drawn: Drawn): Viewport {
  const id = keptNode(old, drawn);
  const [from, to] = [old.layout.places.get(id ?? ""), drawn.layout.places.get(id ?? "")];
  return from && to ? anchored(view, from, to) : view;
}

function lookAtAll(drawn: Drawn, camera: Camera): void {
  seat.whole = fitted(drawn, camera);
  camera.look(seat.whole);
}

const overviewNow = (box: Box, window: Size): Viewport => overview(box, window, sideways.value);

/** All of the graph, or the part with the chosen states. */
function fitted(drawn: Drawn, camera: Camera, look: typeof fit = overviewNow): Viewport {
  const [chosen, states] = [chosenStates.value, liveStates.value];
  const some = drawn.structure.nodes.filter((node) => chosen.size && inStates(node, chosen, states));
  const boxes = (some.length ? some : drawn.structure.nodes).map((node) => drawn.layout.places.get(node.id)).filter((box) => box !== undefined);
  return look(around(boxes) ?? { x: 0, y: 0, width: 1, height: 1 }, camera.window());
}

function BrokenNotes(): JSX.Element {
  const shown = useStore(graph);
  return (
    <>
      {shown?.broken.map(({ file, error, hint }) => (
        <ProblemNote key={file} problem={{ error: `${file}: ${error}`, hint }} />
      ))}
    </>
  );
}
