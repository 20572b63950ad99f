import type { JSX } from "preact";
import { Empty } from "../../parts/messages.tsx";

export function ResultsView(): JSX.Element {
  return <Empty>Results</Empty>;
}
