// Values that components share, and answers of the server that they wait for.
import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import { ask, type Parameters } from "./api/client.ts";

/** A value that several components show; setting it draws them again. */
export class Store<T> {
  value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.value = value;
  }

  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export function useStore<T>(store: Store<T>): T {
  const [, draw] = useReducer((count: number) => count + 1, 0);
  const { value } = store;
  const drawn = useRef(value);
  drawn.current = value;
  useEffect(() => {
    const again = (): void => draw(undefined as never);
    if (!Object.is(drawn.current, store.value)) again(); // it was set before anybody listened
    return store.subscribe(again);
  }, [store]);
  return value;
}

/** An answer of the server: its value stays while it is asked for again. */
export interface Answer<T> {
  value: T | null;
  problem: Problem | null;
  loading: boolean;
}

/** A failure, and the way out. */
export interface Problem {
  error: string;
  hint: string | null;
  /** That of the user's own code, if it caused the failure. */
  traceback?: string;
}

const NOTHING = { value: null, problem: null, loading: true };

/** Ask the server, and again when the parameters or the version change; `name` null asks nothing. */
export function useAnswer<T>(name: string | null, parameters: Parameters = {}, version: unknown = 0): Answer<T> {
  const key = name === null ? null : `${name}?${JSON.stringify(parameters)}`;
  const [state, setState] = useState<Answer<T> & { key: string | null }>({ ...NOTHING, key });
  useEffect(() => {
    if (name === null) return undefined;
    let wanted = true;
    setState((old) => (old.key === key ? { ...old, loading: true } : { ...NOTHING, key }));
    ask<T>(name, parameters).then(
      (value) => wanted && setState({ value, problem: null, loading: false, key }),
      (problem: Problem) => wanted && setState((old) => ({ ...old, problem, loading: false })),
    );
    return () => {
      wanted = false;
    };
  }, [key, version]);
  return state.key === key ? state : { ...NOTHING };
}
