// A button with something below it, which a click elsewhere or Esc closes.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

export function Popover({ title, children }: { title: ComponentChildren; children: ComponentChildren }): JSX.Element {
  const box = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const shut = (event: Event): void => {
      if (box.current?.open && !box.current.contains(event.target as Node)) box.current.open = false;
    };
    // A click on a text in it moves the focus to an element around it.
    const leave = (event: Event): void => {
      if (!(event.target as Node).contains(box.current)) shut(event);
    };
    addEventListener("pointerdown", shut);
    addEventListener("focusin", leave);
    return () => {
      removeEventListener("pointerdown", shut);
      removeEventListener("focusin", leave);
    };
  }, []);
  const press = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || !box.current?.open) return;
    event.preventDefault(); // nothing below it closes
    box.current.open = false;
    box.current.querySelector("summary")?.focus();
  };
  return (
    <details class="popover" ref={box} onKeyDown={press}>
      <summary>{title}</summary>
      {children}
    </details>
  );
}
