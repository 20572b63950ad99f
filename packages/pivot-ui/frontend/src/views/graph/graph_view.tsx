import type { JSX } from "preact";
import { Empty } from "../../parts/messages.tsx";

export function GraphView(): JSX.Element {
  return <Empty>Graph</Empty>;
}
