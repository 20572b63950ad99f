// Draws a specification of Vega-Lite; its libraries are loaded when the first chart is shown.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useStore } from "../store.ts";
import { theme } from "../theme.ts";

interface View {
  finalize(): void;
}

declare global {
  interface Window {
    vegaEmbed?: (place: HTMLElement, spec: object, options: object) => Promise<View>;
  }
}

/** Elements `style` are against the policy of the page, so that the rules of its libraries are in `chart.css`. */
const EMBEDDING = {
  mode: "vega-lite",
  ast: true,
  renderer: "svg",
  actions: { export: true, source: false, compiled: false, editor: false },
  defaultStyle: false,
  forceActionsMenu: true,
  tooltip: { disableDefaultStyle: true },
};

let loading: Promise<void> | null = null;

/** Load the libraries, once for the page. */
function libraries(): Promise<void> {
  loading ??= ["vega", "vega-lite", "vega-embed"]
    .reduce((before, name) => before.then(() => script(`vendor/${name}.min.js`)), Promise.resolve())
    .catch((error: unknown) => {
      loading = null; // the next chart tries again
      throw error;
    });
  return loading;
}

function script(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = address;
    element.onload = () => resolve();
    element.onerror = () => reject(new Error(`${address} cannot be loaded`));
    document.head.append(element);
  });
}

function colours(): object {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const [ink, faint, line] = [colour("--ink"), colour("--faint"), colour("--line")];
  return {
    background: null,
    font: getComputedStyle(document.body).fontFamily,
    axis: { labelColor: faint, titleColor: ink, gridColor: line, domainColor: line, tickColor: line, labelLimit: 200 },
    legend: { labelColor: ink, titleColor: faint, labelLimit: 300, symbolBaseFillColor: ink, symbolBaseStrokeColor: ink, orient: "bottom", direction: "horizontal", columns: 4 },
    title: { color: ink, anchor: "start", limit: 0 },
    header: { labelColor: ink, titleColor: ink },
    view: { stroke: line },
    range: { category: ["#3b82c4", "#e0822c", "#2e9e6b", "#c9483f", "#8a68c8", "#a6761d", "#d05fa2", "#6b7787"] },
    mark: { color: "#3b82c4" },
    line: { strokeWidth: 2 },
  };
}

/** A chart; its title is beside it, not in it. */
export function Chart({ spec, label }: { spec: Record<string, unknown>; label: string }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const shown = useStore(theme);
  const [wrong, setWrong] = useState<string | null>(null);
  const text = JSON.stringify(spec);
  useEffect(() => {
    let [wanted, view]: [boolean, View | null] = [true, null];
    const draw = async (): Promise<void> => {
      await libraries();
      if (!wanted || !place.current || !window.vegaEmbed) return;
      // a file of somebody else may hold options of its own in `usermeta`
      const { title: _title, usermeta: _usermeta, ...rest } = JSON.parse(text) as Record<string, unknown>;
      const drawn = await window.vegaEmbed(place.current, { description: label, ...rest }, { ...EMBEDDING, config: colours() });
      place.current?.querySelector("summary")?.setAttribute("aria-label", `Save the chart ${label}`);
      if (wanted) view = drawn;
      else drawn.finalize();
      setWrong(null);
    };
    draw().catch((error: unknown) => wanted && setWrong(error instanceof Error ? error.message : String(error)));
    return () => {
      wanted = false;
      view?.finalize();
    };
  }, [text, shown, label]);
  return (
    <figure class="chart" aria-label={label}>
      {wrong === null ? null : (
        <p class="problem" role="alert">
          The chart cannot be drawn: {wrong}
        </p>
      )}
      <div ref={place} />
    </figure>
  );
}
