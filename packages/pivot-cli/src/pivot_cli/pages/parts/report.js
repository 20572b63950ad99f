// The pages in frames follow the theme of this one; the timeline is as high as its content.
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const frames = [...document.querySelectorAll("iframe")];
function dress(frame) {
  const inner = frame.contentDocument;
  if (!inner?.body || inner.readyState !== "complete") return;
  inner.documentElement.style.colorScheme = document.documentElement.style.colorScheme || (prefersDark.matches ? "dark" : "light");
  const button = inner.getElementById("theme");
  if (button) button.hidden = true;
  if (frame.className === "timeline") frame.style.height = `${Math.ceil(inner.body.getBoundingClientRect().height) + 4}px`;
}
for (const frame of frames) {
  frame.addEventListener("load", () => dress(frame));
  dress(frame);
}
const dressAll = () => frames.forEach(dress);
theme.addEventListener("click", dressAll);
prefersDark.addEventListener("change", dressAll);
addEventListener("resize", dressAll);
