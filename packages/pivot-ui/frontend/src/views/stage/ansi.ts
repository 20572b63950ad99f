// What a program printed, as lines of coloured text: the escapes of terminals become classes, or are left out.

export interface Span {
  text: string;
  /** Such as `ansi-bold ansi-fg-1`. */
  style: string;
}

export interface LogLine {
  number: number;
  spans: Span[];
}

interface Look {
  fg: number | null;
  bg: number | null;
  bold: boolean;
  faint: boolean;
  italic: boolean;
  underline: boolean;
  inverse: boolean;
}

const PLAIN: Look = { fg: null, bg: null, bold: false, faint: false, italic: false, underline: false, inverse: false };
// a sequence of control (CSI), of the system (OSC, with links and titles) or of two letters; and all other control characters
const ESCAPE = /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|(?=\x1b))|\x1b[ -/]*[0-Z\\-~]|[\x00-\x08\x0b-\x0d\x0e-\x1f\x7f-\x9f]/g;
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]{0,4096}\x1b?|[ -/]*)?$/;
/** The letters of a line that are shown. */
export const MOST_LETTERS = 20_000;
/** The last lines that are kept. */
export const MOST_LINES = 20_000;

/** The text of a log, to which more is added as it is printed. */
export class LogText {
  lines: LogLine[] = [];
  #rest = "";
  #look = PLAIN;
  #open = false; // whether the last line goes on
  #hidden = 0; // letters of the last line that are not shown

  /** Add what was printed next; it may end within a line or an escape. */
  add(text: string): this {
    let whole = this.#rest + text;
    this.#rest = UNFINISHED.exec(whole.slice(-5000))?.[0] ?? "";
    if (whole.endsWith("\r") && !this.#rest) this.#rest = "\r"; // the end of a line, or the return to its beginning?
    whole = whole.slice(0, whole.length - this.#rest.length);
    const parts = whole.replaceAll("\r\n", "\n").split("\n");
    parts.forEach((part, at) => this.#line(part, at < parts.length - 1));
    if (this.lines.length > MOST_LINES * 1.25) this.lines.splice(0, this.lines.length - MOST_LINES);
    return this;
  }

  /** The lines that were printed before those that are kept. */
  get dropped(): number {
    return (this.lines[0]?.number ?? 1) - 1;
  }

  #line(text: string, ends: boolean): void {
    if (text || ends) {
      const line = this.#open ? this.lines.pop() : undefined;
      const number = line?.number ?? (this.lines.at(-1)?.number ?? 0) + 1;
      const restart = text.lastIndexOf("\r"); // a progress bar draws its line again
      const before = restart < 0 ? (line?.spans ?? []) : [];
      if (restart >= 0) {
        this.#spans(text.slice(0, restart)); // its colours go on
        this.#hidden = 0;
      }
      this.lines.push({ number, spans: this.#limited(before, this.#spans(text.slice(restart + 1)), ends) });
      this.#open = true;
    }
    if (ends) [this.#open, this.#hidden] = [false, 0];
  }

  #limited(before: Span[], more: Span[], ends: boolean): Span[] {
    const spans = [...before];
    let left = MOST_LETTERS - before.reduce((sum, span) => sum + span.text.length, 0);
    for (const span of more) {
      const text = span.text.slice(0, Math.max(0, left));
      this.#hidden += span.text.length - text.length;
      left -= text.length;
      if (text) spans.push({ ...span, text });
    }
    if (ends && this.#hidden) spans.push({ text: ` … ${this.#hidden} more letters`, style: "ansi-cut" });
    return spans;
  }

  #spans(text: string): Span[] {
    const spans: Span[] = [];
    let from = 0;
    const put = (end: number): void => {
      if (end > from) spans.push({ text: text.slice(from, end), style: styleOf(this.#look) });
    };
    for (const found of text.matchAll(ESCAPE)) {
      put(found.index);
      from = found.index + found[0].length;
      if (found[2] === "m") this.#look = changed(this.#look, found[1] ?? "");
    }
    put(text.length);
    return spans;
  }
}

function changed(look: Look, parameters: string): Look {
  const codes = parameters.split(/[;:]/).map((code) => Number(code || 0));
  let next = look;
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const colour = codes[at + 1] === 5 ? indexed(codes[at + 2] ?? 0) : null; // others have no class: the text keeps its own
      at += codes[at + 1] === 5 ? 2 : codes[at + 1] === 2 ? 4 : 0;
      next = code === 38 ? { ...next, fg: colour } : { ...next, bg: colour };
    } else next = withCode(next, code);
  }
  return next;
}

const indexed = (colour: number): number | null => (Number.isInteger(colour) && colour >= 0 && colour < 16 ? colour : null);

const FLAGS: Record<number, Partial<Look>> = {
  0: PLAIN,
  1: { bold: true },
  2: { faint: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  22: { bold: false, faint: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  39: { fg: null },
  49: { bg: null },
};

function withCode(look: Look, code: number): Look {
  if (code >= 30 && code <= 37) return { ...look, fg: code - 30 };
  if (code >= 40 && code <= 47) return { ...look, bg: code - 40 };
  if (code >= 90 && code <= 97) return { ...look, fg: code - 82 };
  if (code >= 100 && code <= 107) return { ...look, bg: code - 92 };
  return { ...look, ...FLAGS[code] };
}

function styleOf(look: Look): string {
  if (look === PLAIN) return "";
  const names = (["bold", "faint", "italic", "underline", "inverse"] as const).filter((name) => look[name]).map((name) => `ansi-${name}`);
  if (look.fg !== null) names.push(`ansi-fg-${look.fg}`);
  if (look.bg !== null) names.push(`ansi-bg-${look.bg}`);
  return names.join(" ");
}

export const textOf = (line: LogLine): string => line.spans.map((span) => span.text).join("");

/** A text in parts, of which every second one is what was searched for. */
export function splitBy(text: string, wanted: string): string[] {
  if (!wanted) return [text];
  const [low, small] = [text.toLowerCase(), wanted.toLowerCase()];
  if (low.length !== text.length) return [text]; // its letters have other positions in small ones
  const parts: string[] = [];
  let from = 0;
  for (let at = low.indexOf(small); at >= 0; at = low.indexOf(small, from)) {
    parts.push(text.slice(from, at), text.slice(at, at + small.length));
    from = at + small.length;
  }
  parts.push(text.slice(from));
  return parts;
}
