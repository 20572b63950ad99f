// The place in the page, which the part of the address after # names: #/stage/churn.train/log?side=recorded
import { Store } from "./store.ts";

export interface Route {
  view: string;
  parts: string[];
  query: Record<string, string>;
}

export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [view = "", ...parts] = path.split("/").map(decoded);
  return { view: view || "graph", parts, query: Object.fromEntries(new URLSearchParams(query)) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // somebody has typed it
  }
}

/** The address of a place in the page. */
export function place(view: string, parts: (string | number)[] = [], query: Record<string, string | undefined> = {}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const path = [view, ...parts].map((part) => encodeURIComponent(part)).join("/");
  return `#/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

const VIEWS = ["graph", "stage", "artifact", "runs", "results", "plots", "compare"];

/** The title of the window at a place: what is open there, and the project. */
export function titleOf({ view, parts, query }: Route, project: string): string {
  const [first] = parts;
  const open = view === "stage" ? first : view === "artifact" ? query["path"] : view === "runs" && first ? `Run ${first}` : null;
  const name = VIEWS.includes(view) ? view.charAt(0).toUpperCase() + view.slice(1) : "No such view";
  return `${open || name} · ${project}`;
}

export const route = new Store<Route>({ view: "graph", parts: [], query: {} });

export function followAddress(): void {
  const take = (): void => route.set(parseRoute(location.hash));
  addEventListener("hashchange", take);
  take();
}

export function go(address: string): void {
  location.hash = address;
}
