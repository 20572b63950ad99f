// The head of a panel beside the graph; Escape closes it.
import type { ComponentChildren, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { go, place } from "../routes.ts";
import { isPlain } from "./keys.ts";

interface Props {
  title: string;
  mono?: boolean;
  /** Stands behind the title. */
  sign?: ComponentChildren;
  children: ComponentChildren;
}

export function PanelHead({ title, mono = false, sign, children }: Props): JSX.Element {
  useEffect(() => {
    const take = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && isPlain(event)) go(place("graph"));
    };
    addEventListener("keydown", take);
    return () => removeEventListener("keydown", take);
  }, []);
  return (
    <div class="panel-head">
      <div class="panel-title">
        <h2 class={mono ? "mono" : ""} tabIndex={-1}>
          {title}
        </h2>
        {sign}
        <a class="close" href={place("graph")} title="Close (Esc)" aria-label="Close">
          <svg viewBox="0 0 12 12" aria-hidden="true">
            <path d="M2.5 2.5l7 7M9.5 2.5l-7 7" />
          </svg>
        </a>
      </div>
      {children}
    </div>
  );
}
