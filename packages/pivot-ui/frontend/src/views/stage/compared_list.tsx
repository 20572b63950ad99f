// What Pivot compares to know whether a stage must run.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { StageDetail } from "../../api/types.ts";
import { counted } from "../../parts/formats.ts";
import { SourceLink } from "../../parts/source_link.tsx";
import { shortValue } from "./keys_of_code.ts";
import { byKind } from "./grouping.ts";

type Compared = StageDetail["compared"][number];

export function ComparedList({ compared, equal }: { compared: Compared[]; equal: boolean }): JSX.Element {
  const [wanted, setWanted] = useState("");
  const found = compared.filter((each) => `${each.kind} ${each.key} ${each.file ?? ""}`.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <section>
      <div class="section-head">
        <h3>{equal ? `Compared, and equal: ${counted(compared.length, "fact")}` : `Compared: ${counted(compared.length, "fact")}`}</h3>
        {compared.length > 8 ? (
          <input type="search" placeholder="Search" aria-label="Search in what was compared" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
        ) : null}
      </div>
      {byKind(found).map(([kind, facts]) => (
        <div key={kind} class="scroll">
          <table class="facts">
            <caption>{kind}</caption>
            <tbody>
              {facts.map((fact) => (
                <tr key={fact.key}>
                  <th scope="row">{fact.key}</th>
                  <td>
                    <code title={fact.value}>{shortValue(fact.value)}</code>
                  </td>
                  <td>{fact.file ? <SourceLink file={fact.file} line={fact.line} /> : <span class="faint">{fact.how}</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ))}
      {found.length ? null : <p class="faint">Nothing like this was compared.</p>}
    </section>
  );
}
