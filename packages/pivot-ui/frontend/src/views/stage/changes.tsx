// What has changed since the last run of a stage.
import type { JSX } from "preact";
import type { SourceChange, StageDetail } from "../../api/types.ts";
import { SideBySide } from "../../parts/side_by_side.tsx";
import { SourceLink } from "../../parts/source_link.tsx";
import { place } from "../../routes.ts";
import { kindOf, nameOf, shortValue } from "./keys_of_code.ts";

export function CodeChanges({ detail }: { detail: StageDetail }): JSX.Element | null {
  if (!detail.changes.length) return null;
  const values = new Map(detail.explanation.code_changes.map((each) => [each.key, each]));
  return (
    <section>
      <h3>Code</h3>
      {detail.changes.map((change) => (
        <CodeChange key={change.key} change={change} old={values.get(change.key)?.old ?? null} now={values.get(change.key)?.new ?? null} />
      ))}
    </section>
  );
}

function CodeChange({ change, old, now }: { change: SourceChange; old: string | null; now: string | null }): JSX.Element {
  return (
    <article class="code-change" aria-label={change.name}>
      <div class="code-change-head">
        <span>
          <span class="faint">{kindOf(change.key)}</span> <strong>{nameOf(change.key)}</strong>
        </span>
        <Via keys={change.via} />
        {change.file ? <SourceLink file={change.file} line={change.line} /> : null}
      </div>
      <ChangeText change={change} old={old} now={now} />
    </article>
  );
}

function ChangeText({ change, old, now }: { change: SourceChange; old: string | null; now: string | null }): JSX.Element {
  const { old_text: left, new_text: right } = change;
  const inFile = !change.key.startsWith("cell:"); // the lines of a notebook's file are those of JSON
  const before = inFile ? "last run, lines from its beginning" : "last run";
  const line = inFile ? change.line : 1;
  if (left !== null && right !== null && left !== right) return <SideBySide left={left} right={right} titles={[before, "now"]} line={line} />;
  if (right !== null && old === null) return <SideBySide left="" right={right} titles={["not there", "now"]} line={line} />;
  if (left !== null && now === null) return <SideBySide left={left} right="" titles={[before, "not there"]} />;
  if (change.diff) return <pre class="text-preview">{change.diff}</pre>;
  return (
    <p class="code-change-note">
      <Change old={old} now={now} /> <span class="faint">{left === null && old !== null ? "Its text at the last run is not kept." : ""}</span>
    </p>
  );
}

/** How a stage reaches code: train → inputs. */
export function Via({ keys }: { keys: string[] }): JSX.Element | null {
  if (keys.length < 2) return null;
  return (
    <span class="via" title={keys.join(" → ")}>
      {keys.map((key, at) => (
        <span key={key}>
          {at ? " → " : ""}
          <code>{nameOf(key)}</code>
        </span>
      ))}
    </span>
  );
}

export interface Fact {
  name: string;
  reason: string;
  old: string | null;
  new: string | null;
  path?: string | undefined;
  note?: string;
}

export function FactTable({ facts }: { facts: Fact[] }): JSX.Element {
  return (
    <div class="scroll">
      <table class="facts">
        <tbody>
          {facts.map((fact) => (
            <tr key={fact.name} title={fact.reason || undefined}>
              <th scope="row">{fact.path ? <a href={place("artifact", [], { path: fact.path })}>{fact.name}</a> : fact.name}</th>
              <td>
                {fact.old === fact.new ? fact.reason : <Change old={fact.old} now={fact.new} />}
              </td>
              {fact.note ? <td class="faint">{fact.note}</td> : null}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Change({ old, now }: { old: string | null; now: string | null }): JSX.Element {
  return (
    <span class="old-new">
      {old === null ? <span class="faint">(none)</span> : <del title={old}>{shortValue(old)}</del>}
      <span aria-label="now"> → </span>
      {now === null ? <span class="faint">(none)</span> : <ins title={now}>{shortValue(now)}</ins>}
    </span>
  );
}
