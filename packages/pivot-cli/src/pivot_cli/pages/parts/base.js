"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

// Names come from files: they become text, never markup.
const svgNames = "http://www.w3.org/2000/svg";
function build(names, tag, attributes, children) {
  const made = names ? document.createElementNS(names, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
const element = (tag, attributes = {}, ...children) => build(null, tag, attributes, children);
const shape = (tag, attributes = {}, ...children) => build(svgNames, tag, attributes, children);

// The sign of a state, so that it does not depend on colour alone; drawn, since fonts may lack it.
const signs = {
  check: "M2 6.5 L5 9.5 L10 2.5",
  turn: "M9.6 3.6 A4.4 4.4 0 1 0 10.4 6.8 M10.2 1 V4 H7.2",
  cross: "M3 3 L9 9 M9 3 L3 9",
  alarm: "M6 1.5 V7.2 M6 10.2 V10.3",
  play: "M3.5 2 L9.5 6 L3.5 10 Z",
  clock: "M6 1.5 A4.5 4.5 0 1 0 6 10.5 A4.5 4.5 0 1 0 6 1.5 M6 3.5 V6 L8 7.2",
  box: "M2.5 2.5 H9.5 V9.5 H2.5 Z M2.5 5 H9.5",
  pause: "M4 2.5 V9.5 M8 2.5 V9.5",
  gap: "M2 6 H4 M8 6 H10",
};
function sign(name) {
  return shape("svg", {class: "sign", viewBox: "0 0 12 12", "aria-hidden": "true"}, shape("path", {d: signs[name]}));
}

// A box with facts beside whatever the pointer or the keyboard is on.
const tip = element("div", {id: "tip", role: "status", hidden: ""});
document.body.append(tip);
function showTip(title, facts, box) {
  const list = element("dl");
  for (const [name, value] of facts) list.append(element("dt", {}, name), element("dd", {}, value));
  tip.replaceChildren(element("strong", {}, title), list);
  tip.hidden = false;
  const own = tip.getBoundingClientRect(), room = 8;
  const below = box.bottom + room + own.height <= innerHeight;
  const left = Math.min(Math.max(room, box.left), Math.max(room, innerWidth - own.width - room));
  tip.style.left = `${left}px`;
  tip.style.top = `${Math.max(room, below ? box.bottom + room : box.top - own.height - room)}px`;
}
const hideTip = () => { tip.hidden = true; };

// Dark or light, as the system says until somebody chooses.
const theme = document.getElementById("theme");
if (theme) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  const isDark = () => (chosen ?? (dark.matches ? "dark" : "light")) === "dark";
  const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => {
    chosen = isDark() ? "light" : "dark";
    document.documentElement.style.colorScheme = chosen;
    label();
  });
  dark.addEventListener("change", label);
  label();
}
