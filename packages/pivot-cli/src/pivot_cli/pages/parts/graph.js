const stateSigns = {cached: "check", stale: "turn", blocked: "cross", frozen: "pause", missing: "gap", artifact: "box", stage: "play"};
const svg = document.getElementById("drawing");
const search = document.getElementById("search"), found = document.getElementById("found");
const viewChoice = document.getElementById("view");
const ink = document.createElement("canvas").getContext("2d");
ink.font = "13px system-ui, sans-serif";

const LINE = 17, PAD = 10, MARK = 18, LONGEST = 34, MARGIN = 24;

// A long name breaks after a separator where it has one: it is never cut.
function linesOf(label) {
  const lines = [];
  let rest = [...label];
  while (rest.length > LONGEST) {
    let at = LONGEST;
    for (let each = LONGEST; each > LONGEST / 2; each--)
      if ("/_.@-: ,".includes(rest[each - 1])) { at = each; break; }
    lines.push(rest.slice(0, at).join(""));
    rest = rest.slice(at);
  }
  lines.push(rest.join(""));
  return lines;
}

function sized(node) {
  if (!node.lines) {
    node.lines = linesOf(node.label);
    node.width = Math.ceil(Math.max(...node.lines.map(line => ink.measureText(line).width))) + 2 * PAD + MARK;
    node.height = node.lines.length * LINE + 2 * PAD - 3;
  }
  return node;
}

/* Places of boxes and ways of edges. Dagre chooses layers, their order and the places; an edge that passes a layer goes
   straight through it, in a gap between its boxes, and bends only between two layers, so that it meets no box. Here,
   `main` is the direction from layer to layer, `cross` the other one. */
function arrange(view, across) {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({rankdir: across ? "LR" : "TB", nodesep: 22, edgesep: 14, ranksep: across ? 70 : 54,
                  ranker: view.nodes.length > 150 ? "tight-tree" : "network-simplex"});
  for (const number of view.nodes) {
    const {width, height} = sized(data.nodes[number]);
    graph.setNode(String(number), {width, height});
  }
  for (const [start, end] of view.edges) graph.setEdge(String(start), String(end), {});
  dagre.layout(graph);

  const main = across ? "x" : "y", cross = across ? "y" : "x";
  const along = across ? "width" : "height", wide = across ? "height" : "width";
  const boxes = new Map();
  const bands = new Map();
  for (const number of view.nodes) {
    const box = graph.node(String(number));
    boxes.set(number, box);
    const key = Math.round(box[main] * 10);
    if (!bands.has(key)) bands.set(key, {from: Infinity, to: -Infinity, boxes: []});
    const band = bands.get(key);
    band.from = Math.min(band.from, box[main] - box[along] / 2);
    band.to = Math.max(band.to, box[main] + box[along] / 2);
    band.boxes.push(box);
  }
  const layers = [...bands.entries()].map(([key, band]) => ({key, ...band})).sort((a, b) => a.from - b.from);
  for (const layer of layers) layer.boxes.sort((a, b) => a[cross] - b[cross]);
  const layerOf = box => layers.findIndex(layer => layer.key === Math.round(box[main] * 10));
  const depth = new Map(view.nodes.map(number => [number, layerOf(boxes.get(number))]));

  const ways = view.edges.map(([start, end]) => {
    const points = graph.edge(String(start), String(end)).points;
    const gates = [];
    for (let at = depth.get(start) + 1; at < depth.get(end); at++) {
      const layer = layers[at], middle = layer.key / 10;
      const point = points.reduce((best, each) =>
        Math.abs(each[main] - middle) < Math.abs(best[main] - middle) ? each : best);
      gates.push({layer, place: freePlace(layer, point[cross])});
    }
    return {start, end, gates};
  });
  function freePlace(layer, place) {
    const room = 5;
    const hit = layer.boxes.find(box => Math.abs(box[cross] - place) < box[wide] / 2 + room);
    if (!hit) return place;
    const before = hit[cross] - hit[wide] / 2 - room - 1, after = hit[cross] + hit[wide] / 2 + room + 1;
    return place < hit[cross] ? before : after;
  }
  spreadEnds(ways, boxes, cross, wide);
  const path = way => {
    const from = boxes.get(way.start), to = boxes.get(way.end);
    const first = layers[depth.get(way.start)], last = layers[depth.get(way.end)];
    const say = (along, aside) => across ? `${along.toFixed(1)},${aside.toFixed(1)}` : `${aside.toFixed(1)},${along.toFixed(1)}`;
    let text = `M${say(from[main] + from[along] / 2, way.out)} L${say(first.to, way.out)}`;
    let at = first.to, place = way.out;
    const bend = (until, aside) => {
      const half = (until - at) / 2;
      text += ` C${say(at + half, place)} ${say(until - half, aside)} ${say(until, aside)}`;
      at = until; place = aside;
    };
    for (const {layer, place: aside} of way.gates) {
      bend(layer.from, aside);
      text += ` L${say(layer.to, aside)}`;
      at = layer.to;
    }
    bend(last.from, way.in);
    const tipAt = to[main] - to[along] / 2;
    return {text: text + ` L${say(tipAt, way.in)}`, tip: say(tipAt, way.in)};
  };
  const size = graph.graph();
  const finite = view.nodes.length > 0;  // an empty graph has no size
  return {boxes, ways: ways.map(way => ({...way, ...path(way)})),
          width: finite ? size.width : 1, height: finite ? size.height : 1};
}

// The edges of a box begin and end side by side, in the order of where they lead.
function spreadEnds(ways, boxes, cross, wide) {
  const sides = [["start", "out", way => way.gates.length ? way.gates[0].place : boxes.get(way.end)[cross]],
                 ["end", "in", way => way.gates.length ? way.gates.at(-1).place : boxes.get(way.start)[cross]]];
  for (const [side, name, toward] of sides) {
    const groups = new Map();
    for (const way of ways) {
      if (!groups.has(way[side])) groups.set(way[side], []);
      groups.get(way[side]).push(way);
    }
    for (const [number, group] of groups) {
      const box = boxes.get(number);
      const step = Math.min(14, (box[wide] - 16) / group.length);
      group.sort((a, b) => toward(a) - toward(b));
      group.forEach((way, index) => { way[name] = box[cross] + (index - (group.length - 1) / 2) * step; });
    }
  }
}

const known = new Map();
function arranged(view, across) {
  if (!known.has(view)) known.set(view, {});
  return known.get(view)[across] ??= arrange(view, across);
}

// The direction in which the graph is larger on this screen; for a large one, in which most graphs are.
function isWider(view) {
  const place = svg.getBoundingClientRect();
  const zoom = each => Math.min(place.width / each.width, place.height / each.height);
  return view.nodes.length > 150 || zoom(arranged(view, true)) >= zoom(arranged(view, false));
}

let drawn, nodes = new Map(), edges = [], across = null;
let x = 0, y = 0, w = 1, h = 1;

function draw() {
  const view = data.views[viewChoice.value];
  if (across === null) across = isWider(view);
  drawn = arranged(view, across);
  nodes = new Map();
  const layers = [shape("g"), shape("g")];
  edges = drawn.ways.map(way => {
    const line = shape("path", {class: "edge", d: way.text});
    line.dataset.start = way.start;
    line.dataset.end = way.end;
    const [tx, ty] = way.tip.split(",").map(Number);
    const d = across ? `M${tx},${ty} l-8,-4 v8 Z` : `M${tx},${ty} l-4,-8 h8 Z`;
    const end = shape("path", {class: "tip-shape", d});
    layers[0].append(line, end);
    return {start: way.start, end: way.end, parts: [line, end]};
  });
  for (const number of view.nodes) {
    const node = data.nodes[number], box = drawn.boxes.get(number);
    const left = box.x - box.width / 2, top = box.y - box.height / 2;
    const text = shape("text");
    node.lines.forEach((line, index) =>
      text.append(shape("tspan", {x: left + PAD + MARK, y: top + PAD + 10 + index * LINE}, line)));
    const group = shape("g", {class: `node ${node.state}`, tabindex: "-1", role: "img",
                              "aria-label": `${node.label}: ${node.state}`},
      shape("rect", {x: left, y: top, width: box.width, height: box.height, rx: node.kind === "stage" ? 6 : box.height / 2}),
      shape("path", {class: "sign-path", d: signs[stateSigns[node.state]],
                     transform: `translate(${left + PAD - 1},${top + PAD - 1})`}),
      text);
    group.dataset.number = number;
    nodes.set(number, group);
    layers[1].append(group);
  }
  svg.replaceChildren(...layers);
  document.getElementById("nothing").hidden = view.nodes.length > 0;
  nodes.values().next().value?.setAttribute("tabindex", "0");
  legend(view);
  fit();
  if (search.value) mark();
}

function legend(view) {
  const count = new Map();
  for (const number of view.nodes) count.set(data.nodes[number].state, (count.get(data.nodes[number].state) ?? 0) + 1);
  const words = {artifact: "file", stage: "stage"};
  document.getElementById("legend").replaceChildren(...[...count].map(([state, number]) =>
    element("span", {class: state}, element("i", {}, sign(stateSigns[state])), `${number} ${words[state] ? words[state] + (number === 1 ? "" : "s") : state}`)));
}

// Moving and zooming. A large graph begins at its first layer, at a size that can be read.
const show = () => svg.setAttribute("viewBox", `${x} ${y} ${w} ${h}`);
let size = 1, moved = false; // pixels per unit
function zoomTo(factor, px = svg.clientWidth / 2, py = svg.clientHeight / 2) {
  const now = size, next = Math.min(4, Math.max(0.02, now * factor));
  size = next;
  moved = true;
  x += px / now - px / next; y += py / now - py / next;
  w = svg.clientWidth / next; h = svg.clientHeight / next;
  show();
}
function fit(readable = 0.4) {
  const width = drawn.width + 2 * MARGIN, height = drawn.height + 2 * MARGIN;
  const whole = Math.min(svg.clientWidth / width, svg.clientHeight / height, 1.4);
  size = Math.max(whole, readable);
  moved = false;
  w = svg.clientWidth / size; h = svg.clientHeight / size;
  const first = [...drawn.boxes.values()].sort((a, b) => across ? a.x - b.x || a.y - b.y : a.y - b.y || a.x - b.x)[0];
  const from = (span, room, begin, center) =>
    span <= room ? (span - room) / 2 - MARGIN : Math.min(Math.max(center - room / 2, -MARGIN), span - MARGIN - room, begin);
  x = from(width, w, across ? -MARGIN : Infinity, first?.x ?? 0);
  y = from(height, h, across ? Infinity : -MARGIN, first?.y ?? 0);
  show();
}
function reveal(number) {
  const box = drawn.boxes.get(number), edge = 30;
  if (size < 0.5) zoomTo(0.9 / size);
  moved = true;
  if (box.x - box.width / 2 < x + edge || box.x + box.width / 2 > x + w - edge) x = box.x - w / 2;
  if (box.y - box.height / 2 < y + edge || box.y + box.height / 2 > y + h - edge) y = box.y - h / 2;
  show();
}
svg.addEventListener("wheel", event => {
  event.preventDefault();
  const box = svg.getBoundingClientRect();
  zoomTo(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), event.clientX - box.left, event.clientY - box.top);
}, {passive: false});
const pointers = new Map();
svg.addEventListener("pointerdown", event => {
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  svg.classList.add("moving");
});
addEventListener("pointermove", event => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const others = [...pointers].filter(([id]) => id !== event.pointerId);
  if (others.length) { // two fingers zoom
    const [ox, oy] = others[0][1], box = svg.getBoundingClientRect();
    const span = (px, py) => Math.hypot(px - ox, py - oy) || 1;
    zoomTo(span(event.clientX, event.clientY) / span(...before), ox - box.left, oy - box.top);
  } else {
    x -= (event.clientX - before[0]) / size; y -= (event.clientY - before[1]) / size;
    moved = true;
    show();
  }
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
});
for (const name of ["pointerup", "pointercancel"])
  addEventListener(name, event => { pointers.delete(event.pointerId); if (!pointers.size) svg.classList.remove("moving"); });
// A page in a frame may get its size late. Until somebody moves the graph, all of it is shown.
new ResizeObserver(() => {
  if (!svg.clientWidth || !svg.clientHeight) return;
  if (!drawn) return draw();
  if (!moved) return fit();
  w = svg.clientWidth / size; h = svg.clientHeight / size;
  show();
}).observe(svg);

// The box under the pointer or the keyboard: its facts, and all that it depends on or that depends on it.
function reached(start, from, to) {
  const next = new Map();
  for (const edge of edges) {
    if (!next.has(edge[from])) next.set(edge[from], []);
    next.get(edge[from]).push(edge[to]);
  }
  const seen = new Set([start]), todo = [start];
  while (todo.length)
    for (const each of next.get(todo.pop()) ?? []) if (!seen.has(each)) { seen.add(each); todo.push(each); }
  return seen;
}
function choose(number) {
  const before = reached(number, "end", "start"), after = reached(number, "start", "end");
  for (const [other, group] of nodes) group.classList.toggle("on", before.has(other) || after.has(other));
  for (const edge of edges) {
    const on = (before.has(edge.start) && before.has(edge.end)) || (after.has(edge.start) && after.has(edge.end));
    for (const part of edge.parts) part.classList.toggle("on", on);
  }
  svg.classList.add("chosen");
  const node = data.nodes[number];
  showTip(node.label, node.facts, nodes.get(number).getBoundingClientRect());
}
function release() {
  hideTip();
  svg.classList.remove("chosen");
  if (search.value) mark();
}
const numberOf = event => event.target.closest?.(".node")?.dataset.number;
svg.addEventListener("pointerover", event => {
  const number = numberOf(event);
  if (number !== undefined && !pointers.size) choose(Number(number));
});
svg.addEventListener("pointerout", event => { if (numberOf(event) !== undefined) release(); });
svg.addEventListener("focusin", event => {
  const number = numberOf(event);
  if (number === undefined) return;
  for (const group of nodes.values()) group.setAttribute("tabindex", "-1");
  nodes.get(Number(number)).setAttribute("tabindex", "0");
  if (!pointers.size) reveal(Number(number));
  choose(Number(number));
});
svg.addEventListener("focusout", release);

// Search.
let hits = [], current = -1;
function mark() {
  const wanted = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  hits = [];
  for (const [number, group] of nodes) {
    const label = data.nodes[number].label.toLowerCase();
    const hit = wanted.length > 0 && wanted.every(word => label.includes(word));
    group.classList.toggle("hit", hit);
    group.classList.toggle("on", hit);
    if (hit) hits.push(number);
  }
  for (const edge of edges) for (const part of edge.parts) part.classList.remove("on");
  svg.classList.toggle("chosen", wanted.length > 0);
  found.textContent = wanted.length ? `${hits.length} of ${nodes.size}` : "";
}
search.addEventListener("input", () => { current = -1; mark(); if (hits.length) reveal(hits[0]); });
search.addEventListener("keydown", event => {
  if (event.key === "Enter" && hits.length) {
    current = (current + (event.shiftKey ? hits.length - 1 : 1)) % hits.length;
    reveal(hits[current]);
    found.textContent = `${current + 1} of ${hits.length}`;
  }
});

// The nearest box in a direction, which is less far ahead than aside.
function neighbour(number, key) {
  const from = drawn.boxes.get(number), sideways = key === "ArrowLeft" || key === "ArrowRight";
  const way = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  let best, least = Infinity;
  for (const [other, box] of drawn.boxes) {
    const ahead = way * (sideways ? box.x - from.x : box.y - from.y);
    const aside = Math.abs(sideways ? box.y - from.y : box.x - from.x);
    const far = ahead + 2 * aside;
    if (other !== number && ahead > 1 && far < least) { best = other; least = far; }
  }
  return best;
}
function turn() { across = !across; draw(); }
function files() {
  const order = [...viewChoice.options].map(option => option.value);
  viewChoice.value = order[(order.indexOf(viewChoice.value) + 1) % order.length];
  draw();
}
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    search.value = ""; mark(); hideTip(); svg.classList.remove("chosen");
    if (document.activeElement === search) search.blur();
    return;
  }
  if (event.target.matches?.("input, select")) return;
  const number = event.target.closest?.(".node")?.dataset.number;
  if (event.key.startsWith("Arrow") && number !== undefined) {
    event.preventDefault();
    const next = neighbour(Number(number), event.key);
    if (next !== undefined) nodes.get(next).focus();
    return;
  }
  const acts = {"/": () => search.focus(), "+": () => zoomTo(1.25), "=": () => zoomTo(1.25), "-": () => zoomTo(0.8),
                "0": () => fit(0), d: turn, f: files};
  if (acts[event.key]) { event.preventDefault(); acts[event.key](); }
});
document.getElementById("in").addEventListener("click", () => zoomTo(1.25));
document.getElementById("out").addEventListener("click", () => zoomTo(0.8));
document.getElementById("whole").addEventListener("click", () => fit(0));
document.getElementById("turn").addEventListener("click", turn);
viewChoice.value = data.start;
viewChoice.addEventListener("change", draw);
if (svg.clientWidth && svg.clientHeight) draw();
