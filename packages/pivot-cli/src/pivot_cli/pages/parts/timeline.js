const stateSigns = {ran: "check", restored: "turn", failed: "cross", blocked: "cross", inputs_changed: "alarm",
                    interrupted: "gap", running: "play"};
const chart = document.getElementById("chart"), inner = document.getElementById("inner");
const ink = document.createElement("canvas").getContext("2d");
ink.font = "12px system-ui, sans-serif";
const ROW = 26, ROOM = 8, SIDE = 10, LEAST = 3;

let zoom = 1, bars = [];

const whole = Math.max(data.seconds, 1e-9);
const widthNow = () => Math.max(chart.clientWidth, 200) * zoom;
const place = seconds => SIDE + seconds / whole * (widthNow() - 2 * SIDE);

// A name is in its bar if it fits there, else beside it, or cut where there is more room; what is in one row never overlaps.
function extent(bar) {
  const left = place(bar.start), right = Math.max(left + LEAST, place(bar.end));
  const name = ink.measureText(bar.name).width + 4 + (bar.state in stateSigns ? 16 : 0);
  if (name + 10 <= right - left) return {left, right, from: left, to: right, name: left + 6};
  if (right + 5 + name <= widthNow() || right + 5 + name <= inner.clientWidth)
    return {left, right, from: left, to: right + 5 + name, name: right + 5};
  const before = left - 5 - SIDE, after = widthNow() - right - 5 - SIDE;
  if (name <= before) return {left, right, from: left - 5 - name, to: right, name: left - 5 - name};
  if (before > after) return {left, right, from: SIDE, to: right, name: SIDE, room: before};
  return {left, right, from: left, to: right + 5 + after, name: right + 5, room: after};
}

function draw() {
  inner.style.width = `${widthNow()}px`;
  bars = [];
  const parts = [];
  for (const group of data.groups) {
    const ends = [];
    const rows = element("div", {class: "rows"});
    for (const bar of group.bars) {
      const at = extent(bar);
      let row = ends.findIndex(end => end + ROOM <= at.from);
      if (row < 0) row = ends.push(0) - 1;
      ends[row] = at.to;
      const top = 2 + row * ROW;
      const box = element("button", {class: `bar ${bar.state} ${group.kind}`, tabindex: "-1",
                                     "aria-label": `${bar.name}: ${bar.state}`});
      box.style.left = `${at.left}px`; box.style.width = `${at.right - at.left}px`; box.style.top = `${top}px`;
      const name = element("span", {class: `name ${bar.state}`}, ...(stateSigns[bar.state] ? [sign(stateSigns[bar.state])] : []), bar.name);
      name.style.left = `${at.name}px`; name.style.top = `${top}px`;
      if (at.room) name.style.maxWidth = `${at.room}px`;
      rows.append(box, name);
      box.addEventListener("pointerenter", () => showTip(bar.name, bar.facts, box.getBoundingClientRect()));
      box.addEventListener("pointerleave", hideTip);
      box.addEventListener("focus", () => showTip(bar.name, bar.facts, box.getBoundingClientRect()));
      box.addEventListener("blur", hideTip);
      box.addEventListener("click", () => zoomTo(bar.start, bar.end));
      bars.push({bar, box});
    }
    rows.style.height = `${ends.length * ROW + 4}px`;
    if (group.bars.length) parts.push(element("div", {class: "group"}, group.name), rows);
  }
  bars.sort((a, b) => a.bar.start - b.bar.start);
  bars[0]?.box.setAttribute("tabindex", "0");
  const axis = element("div", {class: "axis"});
  const ticks = [];
  for (const second of steps()) {
    const tick = element("div", {class: "tick"}), label = element("span", {}, seconds(second));
    tick.style.left = label.style.left = `${place(second)}px`;
    ticks.push(tick);
    axis.append(label);
  }
  inner.replaceChildren(...ticks, ...parts, axis);
}

// A mark each 1, 2 or 5 units, or each so many seconds, minutes or hours, with room for its text.
function steps() {
  const least = 80 / (widthNow() - 2 * SIDE) * whole;
  const nice = [...Array(8).keys()].flatMap(n => [1, 2, 5].map(digit => digit * 10 ** (n - 6))).filter(step => step <= 10);
  const step = [...nice, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400].find(each => each >= least)
    ?? Math.ceil(least / 86400) * 86400;
  const count = Math.min(2000, Math.floor(whole / step + 1e-9));
  return [...Array(count + 1).keys()].map(number => number * step);
}
function seconds(duration) {
  if (duration === 0) return "0";
  if (duration < 1) return `${Number((duration * 1000).toPrecision(4))} ms`;
  if (duration < 60) return `${Number(duration.toPrecision(4))} s`;
  const rest = Math.round(duration), hours = Math.floor(rest / 3600), minutes = Math.floor(rest % 3600 / 60);
  const two = number => String(number).padStart(2, "0");
  return hours ? `${hours}h${two(minutes)}m` : `${minutes}m${two(rest % 60)}s`;
}

// Zooming keeps the moment below the pointer, or in the middle, where it is.
function zoomBy(factor, px = chart.clientWidth / 2) {
  const moment = (chart.scrollLeft + px - SIDE) / (widthNow() - 2 * SIDE);
  zoom = Math.min(2000, Math.max(1, zoom * factor), 2e6 / chart.clientWidth);
  draw();
  chart.scrollLeft = moment * (widthNow() - 2 * SIDE) + SIDE - px;
  hideTip();
}
function zoomTo(start, end) {
  const part = Math.max(end - start, whole / 1e4);
  zoom = 1;
  zoomBy(0.6 * whole / part);
  chart.scrollLeft = place((start + end) / 2) - chart.clientWidth / 2;
}
function fit() { zoom = 1; draw(); chart.scrollLeft = 0; }
chart.addEventListener("wheel", event => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.003)), event.clientX - chart.getBoundingClientRect().left);
}, {passive: false});
function step(way) {
  const now = bars.findIndex(({box}) => box === document.activeElement);
  const next = bars[now < 0 ? 0 : Math.min(bars.length - 1, Math.max(0, now + way))];
  next?.box.focus({preventScroll: true});
  next?.box.scrollIntoView({block: "nearest", inline: "nearest"});
  if (next) showTip(next.bar.name, next.bar.facts, next.box.getBoundingClientRect());
}
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const acts = {"+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), "0": fit,
                ArrowLeft: () => step(-1), ArrowRight: () => step(1), Escape: hideTip};
  if (acts[event.key]) { event.preventDefault(); acts[event.key](); }
});
document.getElementById("in").addEventListener("click", () => zoomBy(1.5));
document.getElementById("out").addEventListener("click", () => zoomBy(1 / 1.5));
document.getElementById("whole").addEventListener("click", fit);
const count = new Map();
for (const group of data.groups)
  for (const bar of group.bars)
    count.set(bar.state, {kind: group.kind, number: (count.get(bar.state)?.number ?? 0) + 1});
document.getElementById("legend").append(...[...count].map(([state, {kind, number}]) =>
  element("span", {class: `${state} ${kind}`}, element("i", {}, sign(kind === "phase" ? "clock" : stateSigns[state] ?? "box")),
    kind === "phase" ? state : `${number} ${state.replace("_", " ")}`)));
let last = 0;
new ResizeObserver(() => { if (chart.clientWidth && chart.clientWidth !== last) { last = chart.clientWidth; draw(); } })
  .observe(chart);
draw();
