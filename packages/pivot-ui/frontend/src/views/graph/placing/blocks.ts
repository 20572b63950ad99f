// Lays out parts of a graph that are alike as a block: rows and columns, with lanes between them for the edges, which
// parts share as wires share a duct.
import { arrange, type Link, type SizedNode } from "./arrange.ts";
import { rounded, type Box, type Path, type Point } from "../edge_routes.ts";
import type { Repeat } from "./repeats.ts";

/** Between lanes; beyond the last one, edges share it. */
const LANE = 5;
const LANES = 5;
const NEAR = 6;
/** Above a node there is room for the head of an arrow. */
const HEAD = 14;
const APART = 12;
const GAPS = { nodes: 14, rows: 30 };
/** The shape of a window. */
const WIDE = 1.6;

const roomOf = (lanes: number): number => LANE * Math.min(lanes, LANES);

/** A row of a part. */
interface Row {
  top: number;
  bottom: number;
}

/** Parts that are alike in rows and columns; all places are relative to the block. */
export class Block {
  readonly width: number;
  readonly height: number;
  readonly count: number;
  readonly #seats = new Map<string, { index: number; position: number }>();
  readonly #slots: Box[];
  readonly #rows: Row[];
  readonly #inner = new Map<string, Path>();
  readonly #lanes: ReadonlyMap<string, number>;
  readonly #part: { width: number; height: number };
  readonly #grid: { columns: number; across: number; down: number };
  readonly #room: { left: number; above: number; below: number };

  /** `links` are those of its nodes; `sideways` if it is seen turned. */
  constructor(parts: Repeat, sizes: ReadonlyMap<string, SizedNode>, links: readonly Link[], sideways: boolean) {
    parts.forEach((part, index) => part.forEach((id, position) => this.#seats.set(id, { index, position })));
    this.count = parts.length;
    const arranged = this.#arranged(parts, sizes, links);
    this.#part = { width: arranged.width, height: arranged.height };
    this.#slots = [...arranged.boxes.values()];
    this.#rows = this.#slots.map((slot) => rowOf(this.#slots, slot));
    const { lanes, entries, exits } = lanesOf(links, this.#seats);
    this.#lanes = lanes;
    const [left, right] = [NEAR + roomOf(entries), NEAR + roomOf(exits)];
    this.#room = { left, above: HEAD + roomOf(entries), below: NEAR + roomOf(exits) };
    const across = left + this.#part.width + right + APART;
    const down = this.#room.above + this.#part.height + this.#room.below + APART;
    const rows = Math.max(1, Math.round(Math.sqrt((this.count * across) / (down * (sideways ? 1 / WIDE : WIDE)))));
    const columns = Math.ceil(this.count / rows);
    this.#grid = { columns, across, down };
    this.width = columns * across + APART;
    this.height = Math.ceil(this.count / columns) * down + APART;
  }

  boxOf(id: string): Box {
    const [corner, slot] = [this.#cornerOf(id), this.#slotOf(id)];
    return { ...slot, x: corner.x + slot.x, y: corner.y + slot.y };
  }

  /** The path between two nodes of one part. */
  within(from: string, to: string): Path {
    const corner = this.#cornerOf(from);
    return shifted(this.#inner.get(this.#innerKey(from, to)) as Path, corner.x, corner.y);
  }

  /** The path from x on the upper side of the block to a node, for its edge from another one. */
  enter(x: number, id: string, other: string): Path {
    const [corner, box, at] = [this.#cornerOf(id), this.boxOf(id), this.#laneOf(id, other)];
    const row = this.#rowOf(id);
    const trunk = APART + this.#room.above - HEAD - at;
    // Between two rows of a part there is room for one lane, which its edges share.
    const turn = corner.y + row.top - HEAD - (row.top < 1 ? at : 0);
    const beside = corner.x - NEAR - at;
    const middle = box.x + box.width / 2;
    const around = Math.abs(turn - trunk) < 1 ? [] : [{ x: beside, y: trunk }, { x: beside, y: turn }];
    return rounded([{ x, y: 0 }, { x, y: trunk }, ...around, { x: middle, y: turn }, { x: middle, y: box.y }]);
  }

  /** The path from a node, for its edge to another one, to x on the lower side of the block. */
  leave(x: number, id: string, other: string): Path {
    const [corner, box, at] = [this.#cornerOf(id), this.boxOf(id), this.#laneOf(id, other)];
    const row = this.#rowOf(id);
    const trunk = this.height - APART - this.#room.below + NEAR + at;
    const turn = corner.y + row.bottom + NEAR + (row.bottom > this.#part.height - 1 ? at : 0);
    const beside = corner.x + this.#part.width + NEAR + at;
    const middle = box.x + box.width / 2;
    const around = Math.abs(turn - trunk) < 1 ? [] : [{ x: beside, y: turn }, { x: beside, y: trunk }];
    return rounded([{ x: middle, y: box.y + box.height }, { x: middle, y: turn }, ...around, { x, y: trunk }, { x, y: this.height }]);
  }

  /** One part, as large as the largest one, since all are laid out as one is. */
  #arranged(parts: Repeat, sizes: ReadonlyMap<string, SizedNode>, links: readonly Link[]): ReturnType<typeof arrange> {
    const [first] = parts as [string[]];
    const most = (side: "width" | "height", position: number): number => Math.max(...parts.map((part) => sizes.get(part[position] as string)?.[side] ?? 0));
    const slots = first.map((id, position) => ({ id, width: most("width", position), height: most("height", position) }));
    const own = links.filter(({ from, to }) => this.#seats.get(from)?.index === 0 && this.#seats.get(to)?.index === 0);
    const arranged = arrange(slots, own, GAPS);
    own.forEach(({ from, to }, index) => this.#inner.set(this.#innerKey(from, to), arranged.paths[index] as Path));
    return arranged;
  }

  #innerKey(from: string, to: string): string {
    return `${this.#seats.get(from)?.position} ${this.#seats.get(to)?.position}`;
  }

  #cornerOf(id: string): Point {
    const { index } = this.#seats.get(id) as { index: number };
    const { columns, across, down } = this.#grid;
    return { x: APART + this.#room.left + (index % columns) * across, y: APART + this.#room.above + Math.floor(index / columns) * down };
  }

  #slotOf(id: string): Box {
    return this.#slots[this.#seats.get(id)?.position ?? 0] as Box;
  }

  #rowOf(id: string): Row {
    return this.#rows[this.#seats.get(id)?.position ?? 0] as Row;
  }

  #laneOf(id: string, other: string): number {
    return LANE * Math.min(this.#lanes.get(JSON.stringify([id, other])) ?? 0, LANES - 1);
  }
}

export const shifted = (path: Path, x: number, y: number): Path => path.map((value, at) => value + (at % 2 ? y : x));

function rowOf(slots: Box[], slot: Box): Row {
  const middle = (box: Box): number => Math.round(box.y + box.height / 2);
  const row = slots.filter((each) => middle(each) === middle(slot));
  return { top: Math.min(...row.map((each) => each.y)), bottom: Math.max(...row.map((each) => each.y + each.height)) };
}

interface Lanes {
  lanes: ReadonlyMap<string, number>;
  entries: number;
  exits: number;
}

/** The lane of each edge from and to the outside, by its two ends; edges at the same place of two parts have the same one. */
function lanesOf(links: readonly Link[], seats: ReadonlyMap<string, { index: number; position: number }>): Lanes {
  const lanes = new Map<string, number>();
  const most = (side: "enter" | "leave"): number => {
    const byPart = new Map<number, { id: string; other: string; position: number }[]>();
    for (const { from, to } of links) {
      const [id, other] = side === "enter" ? [to, from] : [from, to];
      const seat = seats.get(id);
      if (!seat || seats.has(other)) continue;
      const edge = { id, other, position: seat.position };
      const known = byPart.get(seat.index);
      if (known) known.push(edge);
      else byPart.set(seat.index, [edge]);
    }
    let count = 0;
    for (const edges of byPart.values()) {
      edges.sort((one, two) => one.position - two.position || (one.other < two.other ? -1 : 1));
      edges.forEach(({ id, other }, lane) => lanes.set(JSON.stringify([id, other]), lane));
      count = Math.max(count, edges.length);
    }
    return count;
  };
  return { entries: most("enter"), exits: most("leave"), lanes };
}
