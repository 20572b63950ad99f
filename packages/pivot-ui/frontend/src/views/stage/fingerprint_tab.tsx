// What counts as the code of a stage.
import type { JSX } from "preact";
import type { FingerprintEntry, StageDetail } from "../../api/types.ts";
import { SourceLink } from "../../parts/source_link.tsx";
import { Via } from "./changes.tsx";
import { kindOf, nameOf } from "./keys_of_code.ts";

export function FingerprintTab({ detail }: { detail: StageDetail }): JSX.Element {
  const { entries, observed, libraries, unresolved } = detail.fingerprint;
  return (
    <div class="panel">
      <Entries title="Code that it depends on" entries={entries} />
      <Entries title="Code that was only seen in its last run" entries={observed} />
      {libraries.length ? (
        <section>
          <h3>Libraries</h3>
          <div class="scroll">
            <table class="facts">
              <tbody>
                {libraries.map((library) => (
                  <tr key={library.name}>
                    <th scope="row">{library.name}</th>
                    <td class="nowrap">{library.version}</td>
                    <td class="faint mono">{library.names.join(", ")}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      ) : null}
      {unresolved.length ? (
        <section>
          <h3>Code that cannot be followed</h3>
          <ul>
            {unresolved.map((each, at) => (
              <li key={at}>
                {each.reason} {each.file ? <SourceLink file={each.file} line={each.line} /> : null}
              </li>
            ))}
          </ul>
        </section>
      ) : null}
      {entries.length + observed.length + libraries.length ? null : <p class="empty">It depends on no code that is known here.</p>}
    </div>
  );
}

function Entries({ title, entries }: { title: string; entries: FingerprintEntry[] }): JSX.Element | null {
  if (!entries.length) return null;
  return (
    <section>
      <h3>{title}</h3>
      <div class="scroll">
        <table class="facts">
          <tbody>
            {entries.map((entry) => (
              <tr key={entry.key}>
                <th scope="row" title={entry.key}>
                  <span class="faint">{kindOf(entry.key)}</span> {nameOf(entry.key)}
                </th>
                <td>
                  <code title={entry.digest}>{entry.digest.slice(0, 8)}</code>
                </td>
                <td>{entry.file ? <SourceLink file={entry.file} line={entry.line} /> : null}</td>
                <td>
                  <Via keys={entry.via ?? []} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
