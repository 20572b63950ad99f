// The line between the graph and the panel: dragged with the mouse, or moved with keys.
import type { JSX } from "preact";
import { isModified } from "../parts/keys.ts";
import { useStore } from "../store.ts";
import { LEAST, MOST, panelPart, partByKey, setPanelPart, USUAL } from "./panel_width.ts";

export function Divider(): JSX.Element {
  const part = useStore(panelPart);
  const drag = (event: PointerEvent): void => {
    const line = event.currentTarget as HTMLElement;
    if (!line.hasPointerCapture(event.pointerId)) return;
    const whole = (line.parentElement as HTMLElement).getBoundingClientRect();
    setPanelPart((whole.right - event.clientX) / whole.width);
  };
  const press = (event: KeyboardEvent): void => {
    const next = isModified(event) ? null : partByKey(event.key, part);
    if (next === null) return;
    event.preventDefault();
    setPanelPart(next);
  };
  const percent = (value: number): number => Math.round(value * 100);
  return (
    <div
      class="divider"
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label="Width of the panel"
      aria-valuenow={percent(part)}
      aria-valuemin={percent(LEAST)}
      aria-valuemax={percent(MOST)}
      aria-valuetext={`${percent(part)} %`}
      title="Drag, or press ← and →; a double click takes it back"
      onPointerDown={(event) => event.button === 0 && event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={drag}
      onDblClick={() => setPanelPart(USUAL)}
      onKeyDown={press}
    />
  );
}
