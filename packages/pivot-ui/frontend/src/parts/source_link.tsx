// A place in a file, which opens in the editor.
import type { JSX } from "preact";
import { act } from "../api/client.ts";
import { project } from "../api/shared.ts";
import { useStore } from "../store.ts";

export function SourceLink({ file, line }: { file: string; line: number | null }): JSX.Element {
  const shown = useStore(project);
  const text = line === null ? file : `${file}:${line}`;
  const editor = shown?.editor ?? null;
  if (shown === null || editor === null) return <code>{text}</code>;
  if (editor.kind === "command")
    return (
      <button class="link" title={`Open in ${editor.label}`} onClick={() => void act("open", { file, line: line ?? 1 })}>
        {text}
      </button>
    );
  const path = `${shown.root}/${file}`.split("/").map(encodeURIComponent).join("/");
  return (
    <a title={`Open in ${editor.label}`} href={editor.template.replace("{path}", path).replace("{line}", String(line ?? 1))}>
      {text}
    </a>
  );
}
