import type { JSX } from "preact";
import { Empty } from "../../parts/messages.tsx";

export function ArtifactView({ path }: { path: string }): JSX.Element {
  return <Empty>{path}</Empty>;
}
