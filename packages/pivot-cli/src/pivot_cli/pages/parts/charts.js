// Draws the charts again when the theme changes: their colours are in them.
function chartColours() {
  const style = getComputedStyle(document.documentElement), probe = document.body.appendChild(element("span"));
  const colour = name => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
  const ink = colour("--ink"), faint = colour("--faint"), line = colour("--line");
  probe.remove();
  return {
    background: null, font: style.fontFamily,
    axis: {labelColor: faint, titleColor: ink, gridColor: line, domainColor: line, tickColor: line, labelLimit: 200},
    legend: {labelColor: ink, titleColor: faint, labelLimit: 300, symbolBaseFillColor: ink, symbolBaseStrokeColor: ink, orient: "bottom", direction: "horizontal", columns: 4},
    title: {color: ink, anchor: "start", limit: 0}, header: {labelColor: ink, titleColor: ink},
    view: {stroke: line},
    range: {category: ["#3b82c4", "#e0822c", "#2e9e6b", "#c9483f", "#8a68c8", "#a6761d", "#d05fa2", "#6b7787"]},
    mark: {color: "#3b82c4"}, line: {strokeWidth: 2},
  };
}
async function drawCharts() {
  const config = chartColours();
  for (const [number, spec] of data.charts.entries()) {
    const place = document.getElementById(`chart-${number}`);
    const {title, ...rest} = spec; // it is the heading
    try {
      await vegaEmbed(place, rest, {mode: "vega-lite", ast: true, renderer: "svg", config,
                                    actions: {export: true, source: false, compiled: false, editor: false}});
    } catch (error) {
      place.replaceChildren(element("p", {class: "problem"}, `The chart cannot be drawn: ${error.message}`));
      console.error(error);
    }
  }
  document.body.dataset.drawn = "yes";
}
theme?.addEventListener("click", drawCharts);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
drawCharts();
