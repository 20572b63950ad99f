import type { JSX } from "preact";
import { Empty } from "../../parts/messages.tsx";

export function RunsView(): JSX.Element {
  return <Empty>Runs</Empty>;
}
