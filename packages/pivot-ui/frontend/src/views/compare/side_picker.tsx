// Chooses one of the two sides: a list that is searched by typing.
import type { JSX } from "preact";
import { useId, useRef, useState } from "preact/hooks";
import { exported } from "../../api/client.ts";
import { findSides, type SideOption, sideTitle } from "./side_options.ts";

interface SidePickerProps {
  label: string;
  value: string;
  options: readonly SideOption[];
  onChoose: (value: string) => void;
}

const MOST = 60;

export function SidePicker({ label, value, options, onChoose }: SidePickerProps): JSX.Element {
  const [search, setSearch] = useState<string | null>(null);
  const [active, setActive] = useState(0);
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const open = search !== null;
  const found = findSides(options, search ?? "").slice(0, MOST);
  const shut = (): void => (setSearch(null), setActive(0));
  const choose = (chosen: string): void => {
    shut();
    if (chosen) onChoose(chosen);
  };
  const press = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (!open) setSearch("");
      const next = Math.max(0, Math.min(found.length - 1, active + (open ? step : 0)));
      setActive(next);
      document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") choose(found[active]?.value ?? search?.trim() ?? "");
    else if (event.key === "Escape") shut();
  };
  if (exported()) return <FixedSide label={label} title={sideTitle(options, value)} />;
  return (
    <div class="side-picker" onFocusOut={(event) => event.currentTarget.contains(event.relatedTarget as Node | null) || shut()}>
      <label for={id}>{label}</label>
      <input
        id={id}
        ref={field}
        role="combobox"
        autocomplete="off"
        spellcheck={false}
        aria-expanded={open}
        aria-controls={`${id}-list`}
        aria-activedescendant={open && found.length ? `${id}-${active}` : undefined}
        placeholder="a revision, a run"
        value={search ?? sideTitle(options, value)}
        onFocus={(event) => event.currentTarget.select()}
        onClick={() => open || setSearch("")}
        onInput={(event) => (setSearch(event.currentTarget.value), setActive(0))}
        onKeyDown={press}
      />
      {open ? (
        <ul id={`${id}-list`} role="listbox" aria-label={label}>
          {found.map((option, index) => (
            <li
              key={option.value}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === active}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => choose(option.value)}
            >
              <b>{option.title}</b>
              <span class="faint">{option.note}</span>
            </li>
          ))}
          {found.length === 0 ? <li class="faint">Enter takes it as a revision of git</li> : null}
        </ul>
      ) : null}
    </div>
  );
}

/** The side in an exported page, which has no others. */
function FixedSide({ label, title }: { label: string; title: string }): JSX.Element {
  return (
    <span>
      <span class="faint">{label}</span> {title}
    </span>
  );
}
