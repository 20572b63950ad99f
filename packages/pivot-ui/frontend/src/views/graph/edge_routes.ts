// The paths of edges. Within a row of nodes an edge is a straight line in a gap that the layout keeps free; only between
// rows, where no node is, it bends. So it meets no node but its own ends.

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

interface Band {
  top: number;
  bottom: number;
}

export interface Point {
  x: number;
  y: number;
}

/** A path: x and y of its start, and then, for each cubic curve, its two control points and its end. */
export type Path = number[];

/** The rows of nodes, from top to bottom. */
export function bandsOf(boxes: Iterable<Box>): Band[] {
  const bands = new Map<number, Band>();
  for (const box of boxes) {
    const middle = Math.round(box.y + box.height / 2);
    const band = bands.get(middle);
    if (!band) bands.set(middle, { top: box.y, bottom: box.y + box.height });
    else [band.top, band.bottom] = [Math.min(band.top, box.y), Math.max(band.bottom, box.y + box.height)];
  }
  return [...bands.values()].sort((one, other) => one.top - other.top);
}

function bandAt(bands: Band[], y: number): Band | null {
  let [low, high] = [0, bands.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const band = bands[middle] as Band;
    if (y < band.top) high = middle - 1;
    else if (y > band.bottom) low = middle + 1;
    else return band;
  }
  return null;
}

/** The path from the box above to the box below, past these points of the layout. */
export function pathOf(bands: Band[], from: Box, to: Box, points: Point[], startX: number, endX: number): Path {
  const path: Path = [startX, from.y + from.height];
  const line = (x: number, y: number): void => {
    const [x0, y0] = [path.at(-2) as number, path.at(-1) as number];
    if (y - y0 > 0.01) path.push(x0, y0 + (y - y0) / 3, x, y - (y - y0) / 3, x, y);
  };
  const bend = (x: number, y: number): void => {
    const [x0, y0] = [path.at(-2) as number, path.at(-1) as number];
    const middle = (y0 + y) / 2;
    path.push(x0, middle, x, middle, x, y);
  };
  line(startX, bandAt(bands, from.y + from.height / 2)?.bottom ?? from.y + from.height);
  for (const point of points) {
    const band = bandAt(bands, point.y);
    if (band === null || band.top <= (path.at(-1) as number) || band.bottom >= to.y) continue;
    bend(point.x, band.top);
    line(point.x, band.bottom);
  }
  const band = bandAt(bands, to.y + to.height / 2);
  bend(endX, band?.top ?? to.y);
  line(endX, to.y);
  return path;
}

/** The path from its end to its start. */
export function reversed(path: Path): Path {
  const turned: Path = [];
  for (let at = path.length - 2; at >= 0; at -= 2) turned.push(path[at] as number, path[at + 1] as number);
  return turned;
}

/** The path with x and y exchanged. */
export function turned(path: Path): Path {
  return path.map((_, at) => path[at % 2 ? at - 1 : at + 1] as number);
}

const CORNER = 5;

/** The path along lines that meet at right angles, with round corners. */
export function rounded(points: Point[]): Path {
  const way = points.filter((point, at) => at === 0 || point.x !== points[at - 1]?.x || point.y !== points[at - 1]?.y);
  const [start] = way as [Point];
  const path: Path = [start.x, start.y];
  const line = (x: number, y: number): void => {
    const [x0, y0] = [path.at(-2) as number, path.at(-1) as number];
    path.push(x0 + (x - x0) / 3, y0 + (y - y0) / 3, x - (x - x0) / 3, y - (y - y0) / 3, x, y);
  };
  for (let at = 1; at < way.length; at += 1) {
    const [before, here, after] = [way[at - 1] as Point, way[at] as Point, way[at + 1]];
    if (!after) line(here.x, here.y);
    else {
      const [from, to] = [towards(here, before), towards(here, after)];
      line(from.x, from.y);
      path.push(here.x, here.y, here.x, here.y, to.x, to.y);
    }
  }
  return path;
}

function towards(here: Point, there: Point): Point {
  const length = Math.hypot(there.x - here.x, there.y - here.y);
  const part = Math.min(CORNER, length / 2) / length;
  return { x: here.x + (there.x - here.x) * part, y: here.y + (there.y - here.y) * part };
}
