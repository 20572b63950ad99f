// Asks the server; in an exported page, the files beside it.
import type { Problem } from "../store.ts";

export type Parameters = Record<string, string | number | boolean | null | undefined>;

declare global {
  interface Window {
    /** Set in an exported page: the files with the answers, by their keys. */
    pivotExport?: { files: Record<string, string> };
    pivotData?: (key: string, value: unknown) => void;
  }
}

/** Whether this page was exported: nothing changes, and nothing can be started. */
export const exported = (): boolean => window.pivotExport !== undefined;

/** The key of a question: its path and its parameters, sorted by name. */
export function keyOf(name: string, parameters: Parameters = {}): string {
  const given = Object.entries(parameters)
    .filter(([, value]) => value !== null && value !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([parameter, value]) => `${encodeURIComponent(parameter)}=${encodeURIComponent(String(value))}`);
  return given.length ? `${name}?${given.join("&")}` : name;
}

/** The address of an answer, for an image or a stream. */
export const addressOf = (name: string, parameters: Parameters = {}): string => {
  const key = keyOf(name, parameters);
  return window.pivotExport?.files[key] ?? `api/${key}`;
};

/** Ask for a resource; rejects with a `Problem`. */
export async function ask<T>(name: string, parameters: Parameters = {}): Promise<T> {
  return exported() ? readExported<T>(keyOf(name, parameters)) : answerOf<T>(await request(`api/${keyOf(name, parameters)}`));
}

/** Have the server do something; rejects with a `Problem`. */
export async function act<T>(name: string, body: unknown): Promise<T> {
  return answerOf<T>(
    await request(`api/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
  );
}

async function request(address: string, options: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(address, { ...options, credentials: "same-origin" });
  } catch {
    throw { error: "the server does not answer", hint: "start 'pivot ui' again, and open the link that it prints" } satisfies Problem;
  }
}

async function answerOf<T>(response: Response): Promise<T> {
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) return answer as T;
  const said = (answer ?? {}) as Partial<Problem>;
  throw { error: said.error ?? `the server answered ${response.status}`, hint: said.hint ?? null } satisfies Problem;
}

const answers = new Map<string, Promise<unknown>>();
const waiting = new Map<string, (value: unknown) => void>();

/** Each file is loaded once, whoever asks for it. */
function readExported<T>(key: string): Promise<T> {
  const known = answers.get(key) ?? loadExported(key);
  answers.set(key, known);
  return known as Promise<T>;
}

function loadExported(key: string): Promise<unknown> {
  const file = window.pivotExport?.files[key];
  if (file === undefined)
    return Promise.reject({ error: "this is not part of the exported page", hint: "'pivot ui' shows it" } satisfies Problem);
  window.pivotData = (name, value) => waiting.get(name)?.(value);
  return new Promise((resolve, reject) => {
    waiting.set(key, resolve);
    const script = document.createElement("script");
    script.src = file;
    script.onerror = () => reject({ error: `${file} cannot be read`, hint: "export the page again" } satisfies Problem);
    document.head.append(script);
  });
}
