// The keys of fingerprints as people read them.

const KINDS: Record<string, string> = {
  func: "function",
  class: "class",
  method: "method",
  const: "value",
  loader: "loader of",
  writer: "writer of",
  module: "module",
  dep: "dep",
  out: "out",
  param: "parameter",
  env: "variable",
  lib: "library",
};

/** The name in a key such as `func:pipeline:inputs`. */
export function nameOf(key: string): string {
  const parts = key.split(":");
  return (parts.length > 2 ? parts.slice(2).join(":") : parts.slice(1).join(":")) || key;
}

/** The kind in a key, in a word. */
export function kindOf(key: string): string {
  const kind = key.split(":", 1)[0] ?? "";
  return KINDS[kind] ?? kind;
}

/** A digest in eight letters; other values as they are, cut where they are long. */
export function shortValue(value: string | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (/^[0-9a-f]{32}$/.test(value)) return value.slice(0, 8);
  return value.length > 300 ? `${value.slice(0, 299)}…` : value;
}
