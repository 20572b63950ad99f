// Compares two texts line by line, and the words in lines that were edited.

export interface Piece {
  text: string;
  changed: boolean;
}

export interface Line {
  /** From 0. */
  at: number;
  pieces: Piece[];
}

export interface DiffRow {
  same: boolean;
  left: Line | null;
  right: Line | null;
}

/** Rows between the edits that are shown with them. */
const CONTEXT = 3;
/** Beyond this, the middle of two texts counts as replaced: the time grows with the product of their lengths. */
const MOST_CELLS = 4_000_000;

/** The rows of two texts side by side. */
export function diffLines(left: string, right: string): DiffRow[] {
  const [old, now] = [linesOf(left), linesOf(right)];
  const rows: DiffRow[] = [];
  let [from, to] = [0, 0];
  const edit = (leftEnd: number, rightEnd: number): void => {
    for (let step = 0; from + step < leftEnd || to + step < rightEnd; step++) {
      const [a, b] = [from + step < leftEnd ? old[from + step] : undefined, to + step < rightEnd ? now[to + step] : undefined];
      const [leftPieces, rightPieces] = a === undefined || b === undefined ? [whole(a ?? ""), whole(b ?? "")] : diffWords(a, b);
      rows.push({
        same: false,
        left: a === undefined ? null : { at: from + step, pieces: leftPieces },
        right: b === undefined ? null : { at: to + step, pieces: rightPieces },
      });
    }
  };
  for (const [a, b] of common(old, now)) {
    edit(a, b);
    rows.push({ same: true, left: { at: a, pieces: whole(old[a] ?? "") }, right: { at: b, pieces: whole(now[b] ?? "") } });
    [from, to] = [a + 1, b + 1];
  }
  edit(old.length, now.length);
  return rows;
}

const whole = (text: string): Piece[] => [{ text, changed: false }];

function linesOf(text: string): string[] {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** The pieces of an edited line; without marks where hardly anything is the same. */
export function diffWords(left: string, right: string): [Piece[], Piece[]] {
  const [old, now] = [wordsOf(left), wordsOf(right)];
  const pairs = common(old, now);
  const shared = pairs.reduce((sum, [a]) => sum + (old[a] ?? "").trim().length, 0);
  if (shared * 3 < Math.max(left.trim().length, right.trim().length)) return [whole(left), whole(right)];
  return [piecesOf(old, new Set(pairs.map(([a]) => a))), piecesOf(now, new Set(pairs.map(([, b]) => b)))];
}

const wordsOf = (line: string): string[] => line.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];

function piecesOf(words: string[], same: Set<number>): Piece[] {
  const pieces: Piece[] = [];
  words.forEach((text, at) => {
    const changed = !same.has(at);
    const last = pieces.at(-1);
    if (last && last.changed === changed) last.text += text;
    else pieces.push({ text, changed });
  });
  return pieces;
}

/** The positions of the longest common sequence. */
function common(left: string[], right: string[]): [number, number][] {
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start++;
  let [a, b] = [left.length, right.length];
  while (a > start && b > start && left[a - 1] === right[b - 1]) [a, b] = [a - 1, b - 1];
  const pairs: [number, number][] = Array.from({ length: start }, (_, at) => [at, at]);
  pairs.push(...between(left, right, start, a, b));
  for (let at = 0; a + at < left.length; at++) pairs.push([a + at, b + at]);
  return pairs;
}

function between(left: string[], right: string[], start: number, leftEnd: number, rightEnd: number): [number, number][] {
  const [rows, columns] = [leftEnd - start, rightEnd - start];
  if (rows === 0 || columns === 0 || rows * columns > MOST_CELLS) return [];
  const width = columns + 1;
  const lengths = new Uint32Array((rows + 1) * width); // of what is common from here on
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0;
  for (let row = rows - 1; row >= 0; row--)
    for (let column = columns - 1; column >= 0; column--)
      lengths[row * width + column] =
        left[start + row] === right[start + column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));
  const pairs: [number, number][] = [];
  let [row, column] = [0, 0];
  while (row < rows && column < columns)
    if (left[start + row] === right[start + column]) pairs.push([start + row++, start + column++]);
    else if (at(row + 1, column) >= at(row, column + 1)) row++;
    else column++;
  return pairs;
}

type Fold = { rows: DiffRow[] } | { hidden: DiffRow[] };

/** Rows in order, where long parts that are the same are hidden. */
export function folded(rows: DiffRow[]): Fold[] {
  const near = new Array<boolean>(rows.length).fill(false);
  rows.forEach((row, at) => {
    if (!row.same) near.fill(true, Math.max(0, at - CONTEXT), Math.min(rows.length, at + CONTEXT + 1));
  });
  const folds: Fold[] = [];
  for (let at = 0; at < rows.length; ) {
    let end = at;
    while (end < rows.length && near[end] === near[at]) end++;
    const part = rows.slice(at, end);
    if (near[at] || part.length < 3) folds.push({ rows: part });
    else folds.push({ hidden: part });
    at = end;
  }
  return folds;
}

/** The line of a file in which a text begins, whose `def` or `class` is in this line: decorators stand above it. */
export function firstLine(text: string, line: number | null): number | null {
  if (line === null || !text.trimStart().startsWith("@")) return line;
  const above = linesOf(text).findIndex((each) => /^\s*(async\s+def|def|class)\b/.test(each));
  return above > 0 ? line - above : line;
}
