// The keys of the graph.
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { isPlain } from "../../parts/keys.ts";
import { route } from "../../routes.ts";
import { neighbour } from "./filter.ts";
import { artifactsShown, clear, cursor, focus, fold, listShown, open, seat, selectedBy, sideways } from "./graph_state.ts";
import type { Camera, Drawn } from "./drawing/surface.tsx";
import { reveal } from "./drawing/viewport.ts";

interface Keyed {
  drawn: Drawn | null;
  camera: { current: Camera | null };
  searchBox: RefObject<HTMLInputElement | null>;
  act: (name: "fit" | "in" | "out") => void;
  listIsShown: boolean;
}

export type KeyRow = [keys: string[], meaning: string];

export const GRAPH_KEYS: KeyRow[] = [
  [["/"], "search stages and artifacts"],
  [["←", "→", "↑", "↓"], "move along the edges, or to the next node"],
  [["Enter"], "open the node, and then go to its panel; expand a group"],
  [["a"], "show only what leads to it"],
  [["d"], "show only what depends on it"],
  [["b"], "show both"],
  [["e"], "expand or collapse its group"],
  [["f"], "show all"],
  [["+", "−"], "zoom"],
  [["o"], "show or hide artifacts"],
  [["t"], "from left to right, or from above to below"],
  [["l"], "show or hide the list"],
  [["Esc"], "close, clear the filter"],
];

const ARROWS: Record<string, { dx: number; dy: number }> = {
  ArrowLeft: { dx: -1, dy: 0 },
  ArrowRight: { dx: 1, dy: 0 },
  ArrowUp: { dx: 0, dy: -1 },
  ArrowDown: { dx: 0, dy: 1 },
};

export function useKeys(keyed: Keyed): void {
  const now = useRef(keyed);
  now.current = keyed;
  useEffect(() => {
    const take = (event: KeyboardEvent): void => {
      if (isPlain(event) && pressed(event, now.current)) event.preventDefault();
    };
    addEventListener("keydown", take);
    return () => removeEventListener("keydown", take);
  }, []);
}

/** Whether the key meant something here. */
function pressed(event: KeyboardEvent, keyed: Keyed): boolean {
  const { act } = keyed;
  switch (event.key) {
    case "/":
      keyed.searchBox.current?.focus();
      return true;
    case "f":
      act("fit");
      return true;
    case "+":
    case "=":
      act("in");
      return true;
    case "-":
      act("out");
      return true;
    case "o":
      artifactsShown.set(!artifactsShown.value);
      return true;
    case "t":
      sideways.set(!sideways.value);
      return true;
    case "l":
      listShown.set(!keyed.listIsShown);
      return true;
    case "Escape":
      if (selectedBy(route.value) !== null) return false; // the panel closes
      clear();
      return true;
    default:
      return atNode(event, keyed);
  }
}

function atNode(event: KeyboardEvent, { drawn, camera }: Keyed): boolean {
  if (!drawn) return false;
  const arrow = ARROWS[event.key];
  const place = event.target instanceof Element ? event.target : null;
  if (arrow || event.key === "Enter") {
    // In a panel, arrows scroll, and Enter follows a link.
    if (place !== null && place !== document.body && place.id !== "main" && !place.closest(".surface")) return false;
  }
  const id = cursor.value;
  const node = id === null ? undefined : drawn.structure.byId.get(id);
  if (arrow) return moveTo(node ? neighbour(drawn.structure, drawn.layout.places, node.id, arrow, sideways.value ? arrow.dx !== 0 : arrow.dy !== 0) : (drawn.structure.nodes[0]?.id ?? null), drawn, camera);
  if (!node) return false;
  switch (event.key) {
    case "Enter":
      if (selectedBy(route.value) === node.id) document.querySelector<HTMLElement>(".panel-title h2")?.focus();
      else open(node);
      return true;
    case "a":
    case "d":
    case "b":
      focus.set({ id: node.id, direction: event.key === "a" ? "upstream" : event.key === "d" ? "downstream" : "both" });
      return true;
    case "e":
      if (node.group === null) return false;
      fold(node.group, node.id !== node.group);
      if (node.id !== node.group) cursor.set(node.group);
      return true;
    default:
      return false;
  }
}

function moveTo(id: string | null, drawn: Drawn, camera: { current: Camera | null }): boolean {
  const node = id === null ? undefined : drawn.structure.byId.get(id);
  const place = node && drawn.layout.places.get(node.id);
  if (!node || !place || !camera.current) return true;
  cursor.set(node.id);
  if (seat.view) camera.current.look(reveal(seat.view, place, camera.current.window()));
  // An open panel follows.
  if (selectedBy(route.value) !== null && (node.stage || node.artifact)) open(node);
  return true;
}
