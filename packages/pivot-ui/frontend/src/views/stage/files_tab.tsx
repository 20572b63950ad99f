// The files of a stage, and what is in the one that is chosen.
import type { JSX } from "preact";
import type { StageDetail } from "../../api/types.ts";
import { size } from "../../parts/formats.ts";
import { Badge } from "../../parts/signs.tsx";
import { go, place, route } from "../../routes.ts";
import { useStore } from "../../store.ts";
import { Preview } from "../preview/preview.tsx";
import { SideChoice } from "../preview/sides.tsx";

export function FilesTab({ detail }: { detail: StageDetail }): JSX.Element {
  const { query } = useStore(route);
  const { side = "workspace", inside } = query;
  const path = query["path"] ?? detail.outs[0]?.path ?? detail.deps[0]?.path;
  const at = (chosen: string, more: Record<string, string | undefined> = {}): string =>
    place("stage", [detail.address, "files"], { path: chosen, side: side === "workspace" ? undefined : side, ...more });
  return (
    <div class="panel">
      <Files title="Outs" files={detail.outs} chosen={path} at={at} />
      <Files title="Deps" files={detail.deps} chosen={path} at={at} />
      {path === undefined ? (
        <p class="faint">It has neither deps nor outs.</p>
      ) : (
        <section class="file-preview">
          <div class="section-head">
            <h3>
              <a href={place("artifact", [], { path, inside })} title="Show it alone">
                {inside ? `${path}/${inside}` : path}
              </a>
            </h3>
            <SideChoice side={side} choose={(value) => go(at(path, { inside, side: value }))} />
          </div>
          <Preview path={path} side={side} inside={inside} onEnter={(entered) => go(at(path, { inside: entered }))} />
        </section>
      )}
    </div>
  );
}

interface File {
  path: string;
  state: string;
  digest: string | null;
  recorded: string | null;
  size: number | null;
  writer?: string | null;
  view?: string | null;
}

const WORDS: Record<string, string> = { same: "cached", changed: "stale", missing: "blocked", new: "stale", gone: "stale", uncounted: "always" };

function Files({ title, files, chosen, at }: { title: string; files: File[]; chosen: string | undefined; at: (path: string) => string }): JSX.Element | null {
  if (!files.length) return null;
  return (
    <div class="scroll">
      <table class="files">
        <caption>{title}</caption>
        <tbody>
          {files.map((file) => (
            <tr key={file.path} class={file.path === chosen ? "chosen" : ""}>
              <th scope="row">
                <a href={at(file.path)} aria-current={file.path === chosen ? "true" : undefined}>
                  {file.path}
                </a>
              </th>
              <td>
                <Badge state={WORDS[file.state] ?? "unknown"} word={file.state} />
              </td>
              <td class="number">{size(file.size)}</td>
              <td>
                <code title={digests(file)}>{(file.digest ?? file.recorded ?? "").slice(0, 8)}</code>
              </td>
              <td class="faint">{file.writer ? <a href={place("stage", [file.writer])}>{file.writer}</a> : (file.view ?? "")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const digests = (file: File): string =>
  file.recorded && file.digest && file.recorded !== file.digest ? `now ${file.digest}, at the last run ${file.recorded}` : (file.digest ?? file.recorded ?? "");
