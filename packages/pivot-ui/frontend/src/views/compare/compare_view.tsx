import type { JSX } from "preact";
import { Empty } from "../../parts/messages.tsx";

export function CompareView(): JSX.Element {
  return <Empty>Compare</Empty>;
}
