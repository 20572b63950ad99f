// Light or dark: as the system has it, until the user chooses.
import { Store } from "./store.ts";

export type Theme = "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
export const theme = new Store<Theme>("light");

const NAME = "pivot-theme";

function chosen(): Theme | null {
  try {
    const value = localStorage.getItem(NAME);
    return value === "light" || value === "dark" ? value : null;
  } catch {
    return null; // storage may be forbidden
  }
}

function apply(value: Theme): void {
  document.documentElement.dataset["theme"] = value;
  theme.set(value);
}

export function followTheme(): void {
  const take = (): void => apply(chosen() ?? (system.matches ? "dark" : "light"));
  system.addEventListener("change", take);
  take();
}

export function switchTheme(): void {
  const value = theme.value === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(NAME, value);
  } catch {
    // it holds for this page alone
  }
  apply(value);
}
