import type { JSX } from "preact";
import { Empty } from "../../parts/messages.tsx";

export function StageView({ address, tab }: { address: string; tab: string }): JSX.Element {
  return (
    <Empty>
      {address} {tab}
    </Empty>
  );
}
