// The order of a table's rows: by several columns, the first one counts most.

export type Cell = string | number | boolean | null | undefined;

interface SortKey {
  key: string;
  descending: boolean;
}

export type Sort = readonly SortKey[];

/** The order after a click on a column: up, down, and as it was; with `more`, the other columns stay. */
export function nextSort(sort: Sort, key: string, more: boolean): Sort {
  const now = sort.find((each) => each.key === key);
  const others = more ? sort.filter((each) => each.key !== key) : [];
  if (now === undefined) return [...others, { key, descending: false }];
  if (now.descending) return others;
  const turned = { key, descending: true };
  return more ? sort.map((each) => (each.key === key ? turned : each)) : [turned];
}

/** Numbers by their values and before texts; what is missing is always last. */
function compareCells(left: Cell, right: Cell, descending = false): number {
  const [first, second] = [rank(left), rank(right)];
  if (first === 2 || second === 2) return first - second;
  const order = first !== second ? first - second : compareAlike(left, right);
  return descending ? -order : order;
}

function rank(cell: Cell): 0 | 1 | 2 {
  if (cell === null || cell === undefined || (typeof cell === "number" && Number.isNaN(cell))) return 2;
  return typeof cell === "number" ? 0 : 1;
}

const collator = new Intl.Collator("en", { numeric: true });

function compareAlike(left: Cell, right: Cell): number {
  if (typeof left === "number" && typeof right === "number") return left < right ? -1 : left > right ? 1 : 0;
  return collator.compare(String(left), String(right));
}

/** The rows in this order; rows that are alike stay as they were. */
export function sortRows<Row>(rows: readonly Row[], sort: Sort, cell: (row: Row, key: string) => Cell): readonly Row[] {
  if (sort.length === 0) return rows;
  return [...rows].sort((left, right) => {
    for (const { key, descending } of sort) {
      const order = compareCells(cell(left, key), cell(right, key), descending);
      if (order !== 0) return order;
    }
    return 0;
  });
}

/** The rows of a long table that are on the screen, and a few beyond. */
export function rowWindow(count: number, top: number, height: number, row: number): { first: number; end: number } {
  const beyond = 8;
  const first = Math.max(0, Math.min(Math.floor(top / row) - beyond, count - 1));
  return { first, end: Math.min(count, Math.ceil((top + Math.max(height, row)) / row) + beyond) };
}
