// Files that are shown as they are, in part, or not at all.
import type { JSX } from "preact";
import type { Preview } from "../../api/types.ts";
import { size } from "../../parts/formats.ts";
import { binaryText, hexRows } from "./hex.ts";

export function CutText({ text, cut, label }: { text: string; cut: boolean; label: string }): JSX.Element {
  return (
    <>
      <pre class="text-preview" tabIndex={0} role="region" aria-label={label}>
        {text}
      </pre>
      {cut ? <p class="faint preview-note">The file goes on; only its beginning is shown.</p> : null}
    </>
  );
}

export function BinaryPreview({ path, head }: { path: string; head: string }): JSX.Element {
  const rows = hexRows(head);
  return (
    <>
      <p class="faint preview-note">{binaryText(path)} Its first bytes:</p>
      <pre class="text-preview">{rows.length ? rows.join("\n") : "(empty)"}</pre>
    </>
  );
}

const PLACES = { cache: "It is in the cache.", remote: "It is not in the cache; the remote may have it.", nowhere: "It is neither here nor in the cache.", outside: "A symbolic link leads out of the project." };

/** What is somewhere else, or too large. */
export function Elsewhere({ shown }: { shown: Preview }): JSX.Element | null {
  if (shown.kind === "too_large") return shown.problem ? null : <p class="empty">It is too large to be shown{shown.bound ? `: at most ${size(shown.bound)} are read` : ""}.</p>;
  const where = shown.where ? PLACES[shown.where] : "";
  if (!where && !shown.command) return shown.problem ? null : <p class="empty">It is not here.</p>;
  return (
    <div class="elsewhere">
      {where ? <p>{where}</p> : null}
      {shown.command ? (
        <p>
          To bring it: <code>{shown.command}</code>
        </p>
      ) : null}
    </div>
  );
}
