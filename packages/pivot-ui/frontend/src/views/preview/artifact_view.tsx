// An artifact: who writes and reads it, and what is in it.
import type { JSX } from "preact";
import type { GraphArtifact } from "../../api/types.ts";
import { graph } from "../../api/shared.ts";
import { PanelHead } from "../../parts/panel_head.tsx";
import { go, place, route } from "../../routes.ts";
import { useStore } from "../../store.ts";
import { crumbs } from "./pages.ts";
import { Preview } from "./preview.tsx";
import { SideChoice } from "./sides.tsx";

export function ArtifactView({ path }: { path: string }): JSX.Element {
  const { query } = useStore(route);
  const { side = "workspace", inside } = query;
  const artifact = useStore(graph)?.artifacts.find((each) => each.path === path);
  const at = (changes: { side?: string; inside?: string | undefined }): string =>
    place("artifact", [], { path, side: side === "workspace" ? undefined : side, inside, ...changes });
  return (
    <article class="artifact" aria-label={path}>
      <PanelHead title={path} mono>
        <p class="faint">{artifact ? <Uses artifact={artifact} /> : null}</p>
        <SideChoice side={side} choose={(chosen) => go(at({ side: chosen }))} />
      </PanelHead>
      {inside ? (
        <nav class="crumbs" aria-label="Path in the directory">
          <a href={at({ inside: undefined })}>{path}</a>
          {crumbs(inside).map((crumb) => (
            <span key={crumb.inside}>
              {" / "}
              <a href={at({ inside: crumb.inside })} aria-current={crumb.inside === inside ? "page" : undefined}>
                {crumb.name}
              </a>
            </span>
          ))}
        </nav>
      ) : null}
      <div class="panel">
        <Preview path={path} side={side} inside={inside} onEnter={(entered) => go(at({ inside: entered }))} />
      </div>
    </article>
  );
}

const KINDS = { source: "A file that no stage writes", out: "An out", tracked: "Tracked data" };

function Uses({ artifact }: { artifact: GraphArtifact }): JSX.Element {
  const { writer, readers } = artifact;
  return (
    <>
      {KINDS[artifact.kind]}
      {writer === null ? null : (
        <>
          , written by <a href={place("stage", [writer])}>{writer}</a>
        </>
      )}
      {readers.length ? ", read by " : ""}
      {readers.map((reader, index) => (
        <span key={reader}>
          {index ? ", " : ""}
          <a href={place("stage", [reader])}>{reader}</a>
        </span>
      ))}
      .
    </>
  );
}
