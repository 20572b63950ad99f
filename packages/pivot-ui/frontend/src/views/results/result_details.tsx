// One result: its values and stages, and how it comes into the workspace.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { moment, scalar, seconds } from "../../parts/formats.ts";
import { place } from "../../routes.ts";
import type { ResultRow } from "./columns.ts";
import { titleOf } from "./result_table.tsx";

export function ResultDetails({ row, onClose }: { row: ResultRow; onClose: () => void }): JSX.Element {
  const { result } = row;
  return (
    <aside class="result-details" aria-label={`Result ${titleOf(row)}`}>
      <header>
        <h3>Result {titleOf(row)}</h3>
        <button aria-label="Close" title="Close (Esc)" onClick={onClose}>
          ✕
        </button>
      </header>
      <p class="faint">
        {result.recorded ? `recorded ${moment(result.recorded)}` : "not recorded"}
        {result.seconds === null ? "" : `, its stages took ${seconds(result.seconds)}`}
      </p>
      {result.current ? <p>It is in the workspace.</p> : null}
      {result.stale.length ? (
        <>
          <p>It would come out otherwise today:</p>
          <ul>
            {result.stale.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        </>
      ) : null}
      {result.id && !result.current ? <Command text={`pivot apply ${result.id.slice(0, 8)}`} /> : null}
      <Values title="Metrics" values={result.metrics} />
      <Values title="Parameters" values={result.params} />
      <h4>Stages</h4>
      <ul class="stage-links">
        {result.stages.map((address) => (
          <li key={address}>
            <a href={place("stage", [address])}>{address}</a>
          </li>
        ))}
      </ul>
    </aside>
  );
}

function Values({ title, values }: { title: string; values: Record<string, unknown> }): JSX.Element | null {
  const entries = Object.entries(values);
  if (entries.length === 0) return null;
  return (
    <>
      <h4>{title}</h4>
      <dl>
        {entries.map(([name, value]) => (
          <div key={name}>
            <dt title={name}>{name}</dt>
            <dd title={String(value)}>{value === null ? "null" : scalar(value)}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

/** A command to copy. */
function Command({ text }: { text: string }): JSX.Element {
  const [copied, setCopied] = useState("");
  const copy = (): void =>
    void navigator.clipboard.writeText(text).then(
      () => setCopied("copied"),
      () => setCopied("select it to copy it"),
    );
  return (
    <p class="command">
      <code>{text}</code> <button onClick={copy}>Copy</button>{" "}
      <span class="faint" role="status">
        {copied}
      </span>
    </p>
  );
}
