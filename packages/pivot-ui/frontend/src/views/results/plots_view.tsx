import type { JSX } from "preact";
import { Empty } from "../../parts/messages.tsx";

export function PlotsView(): JSX.Element {
  return <Empty>Plots</Empty>;
}
