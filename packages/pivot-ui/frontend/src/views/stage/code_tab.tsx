// The source of a stage, or its command.
import { Fragment, type JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { StageDetail } from "../../api/types.ts";
import { SourceLink } from "../../parts/source_link.tsx";
import { pythonLines } from "./python_tokens.ts";

export function CodeTab({ detail }: { detail: StageDetail }): JSX.Element {
  const { source, command, params } = detail;
  return (
    <div class="panel">
      <Params params={params} />
      {command === null ? null : (
        <section>
          <h3>Command</h3>
          <pre class="text-preview command" tabIndex={0}>
            {command}
          </pre>
        </section>
      )}
      {source === null ? (
        command === null ? <p class="empty">Its source cannot be read.</p> : null
      ) : (
        <section>
          <div class="section-head">
            <h3>{detail.kind === "shell" ? "Declared in" : "Source"}</h3>
            <SourceLink file={source.file} line={source.line} />
          </div>
          {source.cells.map((cell) => (
            <Fragment key={cell.number}>
              <h4>Cell {cell.number}</h4>
              <Source text={cell.text} line={1} python />
            </Fragment>
          ))}
          {source.text && command === null && !source.cells.length ? <Source text={source.text} line={source.line} python={detail.kind !== "shell" && !/\.ya?ml$/.test(source.file)} /> : null}
        </section>
      )}
    </div>
  );
}

function Params({ params }: { params: Record<string, string> }): JSX.Element | null {
  const names = Object.keys(params);
  if (!names.length) return null;
  return (
    <section>
      <h3>Parameters</h3>
      <div class="scroll">
        <table class="facts">
          <tbody>
            {names.map((name) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>
                  <code>{params[name]}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Source({ text, line, python }: { text: string; line: number; python: boolean }): JSX.Element {
  const lines = useMemo(
    () => (python ? pythonLines(text.replace(/\n$/, "")) : text.replace(/\n$/, "").split("\n").map((each) => [{ text: each, kind: "" }])),
    [text, python],
  );
  return (
    <div class="source" tabIndex={0} role="region" aria-label="Source">
      {lines.map((tokens, at) => (
        <div key={at} class="source-line">
          <span class="source-number" data-number={line + at} />
          <code>
            {tokens.map((token, index) => (
              <span key={index} class={token.kind ? `py-${token.kind}` : undefined}>
                {token.text}
              </span>
            ))}
            {tokens.length ? "" : " "}
          </code>
        </div>
      ))}
    </div>
  );
}
