// What is in an artifact, as far as it can be shown: a part of a table or a directory, a tree, a text, an image.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { exported } from "../../api/client.ts";
import { version } from "../../api/live.ts";
import type { Preview as Answer } from "../../api/types.ts";
import { Chart } from "../../parts/chart.tsx";
import { size } from "../../parts/formats.ts";
import { Answered, ProblemNote } from "../../parts/messages.tsx";
import { useAnswer, useStore } from "../../store.ts";
import { BinaryPreview, CutText, Elsewhere } from "./file_previews.tsx";
import { ImagePreview } from "./image_preview.tsx";
import { JsonTree } from "./json_tree.tsx";
import { DirectoryPreview } from "./directory_preview.tsx";
import { Pager, type Page } from "./pager.tsx";
import { pageByKey } from "./pages.ts";
import { TablePreview } from "./table_preview.tsx";

interface PreviewPlace {
  path: string;
  /** `workspace` unless given, `recorded`, or a revision. */
  side?: string | undefined;
  /** A path in a directory. */
  inside?: string | undefined;
}

const ROWS = 50;

/** The preview of an artifact; `onEnter` is called with a path inside a directory. */
export function Preview({ onEnter, ...place }: PreviewPlace & { onEnter?: (inside: string) => void }): JSX.Element {
  return <PreviewPart key={JSON.stringify([place.path, place.side, place.inside])} place={place} onEnter={onEnter} />;
}

function PreviewPart({ place, onEnter }: { place: PreviewPlace; onEnter: ((inside: string) => void) | undefined }): JSX.Element {
  const [offset, setOffset] = useState(0);
  const [form, setForm] = useState<Form>("");
  const side = place.side === "workspace" ? undefined : place.side;
  const window = offset ? { offset, limit: ROWS } : {};
  const answer = useAnswer<Answer>("preview", { path: place.path, side, inside: place.inside, form: form || undefined, ...window }, useStore(version));
  const before = useRef<Answer | null>(null); // stays until the next page is here
  useEffect(() => {
    if (answer.value) before.current = answer.value;
  }, [answer.value]);
  const own = useRef("");
  if (form === "" && answer.value) own.current = answer.value.kind;
  const choose = (chosen: Form): void => {
    setOffset(0);
    setForm(chosen);
  };
  const held = answer.value === null && answer.problem === null && before.current !== null;
  const shown = held ? { ...answer, value: before.current } : answer;
  return (
    <section class={held ? "preview held" : "preview"} aria-busy={held}>
      <FormChoice kind={own.current} form={form} choose={choose} />
      <Answered answer={shown}>
        {(value) => <Shown shown={value} side={side} inside={place.inside} busy={held} go={setOffset} onEnter={onEnter} />}
      </Answered>
    </section>
  );
}

/** How it is shown: as suits it, or as what it is stored as. */
type Form = "" | "table" | "text";

const FORMS: Record<string, [Form, string][]> = {
  json: [
    ["", "Tree"],
    ["text", "Text"],
  ],
  plot: [
    ["", "Chart"],
    ["table", "Rows"],
  ],
};

function FormChoice({ kind, form, choose }: { kind: string; form: Form; choose: (form: Form) => void }): JSX.Element | null {
  const forms = FORMS[kind];
  if (!forms || exported()) return null;
  return (
    <div class="preview-tools forms" role="group" aria-label="How it is shown">
      {forms.map(([name, title]) => (
        <button key={name} aria-pressed={name === form} onClick={() => choose(name)}>
          {title}
        </button>
      ))}
    </div>
  );
}

interface ShownProps {
  shown: Answer;
  side: string | undefined;
  inside: string | undefined;
  busy: boolean;
  go: (offset: number) => void;
  onEnter: ((inside: string) => void) | undefined;
}

function Shown(props: ShownProps): JSX.Element {
  const { shown } = props;
  const facts = [kindText(shown), size(shown.size), shown.reader ? `read with ${shown.reader}` : ""].filter(Boolean);
  return (
    <>
      <p class="preview-facts">
        {facts.join(" · ")}
        {shown.digest ? (
          <>
            {" · "}
            <code title={shown.digest}>{shown.digest.slice(0, 8)}</code>
          </>
        ) : null}
      </p>
      {shown.problem ? <ProblemNote problem={shown.problem} /> : null}
      {(shown.notes ?? []).map((note) => (
        <p key={note} class="faint preview-note">
          {note}
        </p>
      ))}
      <Content {...props} />
    </>
  );
}

const kindText = (shown: Answer): string =>
  ({ json: "document", absent: "", too_large: "" })[shown.kind as string] ?? shown.media ?? shown.kind.replace("_", " ");

function Content({ shown, side, inside, busy, go, onEnter }: ShownProps): JSX.Element | null {
  const page = pageOf(shown);
  const turn = (event: KeyboardEvent): void => {
    if (event.metaKey || (event.ctrlKey && !event.altKey)) return; // on some keyboards, AltGr types the brackets
    const offset = pageByKey(event.key, page);
    if (offset !== null && !busy) go(offset);
  };
  switch (shown.kind) {
    case "table":
      return (
        <>
          <Pager page={page} noun="row" busy={busy} go={go} />
          <TablePreview shown={shown} onKey={turn} />
        </>
      );
    case "directory":
      return (
        <>
          <Pager page={page} noun="entry" busy={busy} go={go} />
          <DirectoryPreview shown={shown} inside={inside} onKey={turn} onEnter={onEnter} />
        </>
      );
    case "json":
      return (
        <>
          {shown.cut ? <p class="faint preview-note">Only its first values are shown.</p> : null}
          <JsonTree key={shown.digest} value={shown.value} label={shown.path} />
        </>
      );
    case "text":
      return <CutText text={shown.text ?? ""} cut={shown.cut ?? false} label={shown.path} />;
    case "image":
      return <ImagePreview shown={shown} inside={inside} side={side} />;
    case "plot":
      return shown.spec ? <Chart spec={shown.spec} label={shown.title} /> : null;
    case "binary":
      return <BinaryPreview path={inside ?? shown.path} head={shown.head ?? ""} />;
    default:
      return <Elsewhere shown={shown} />;
  }
}

function pageOf(shown: Answer): Page {
  const [offset, count] = [shown.offset ?? 0, (shown.rows ?? shown.entries ?? []).length];
  const total = shown.total ?? null;
  return { offset, count, total, more: shown.more ?? (total !== null && offset + count < total), size: ROWS };
}
