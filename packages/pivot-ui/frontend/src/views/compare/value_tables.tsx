// Parameters and metrics on two sides.
import type { JSX } from "preact";
import { changeOf, type Became, sideTexts, type ValueRow } from "./differences.ts";

const SIGNS: Record<Became, string> = { same: "=", changed: "≠", added: "+", removed: "−" };

/** What became of something, as a sign and a word. */
export function BecameMark({ became }: { became: Became }): JSX.Element {
  return (
    <span class={`became ${became}`}>
      <span aria-hidden="true">{SIGNS[became]}</span> {became}
    </span>
  );
}

interface ValueTableProps {
  label: string;
  owner: string;
  left: string;
  right: string;
  rows: readonly ValueRow[];
}

export function ValueTable({ label, owner, left, right, rows }: ValueTableProps): JSX.Element {
  return (
    <div class="scroll">
      <table class="sides" aria-label={label}>
        <thead>
          <tr>
            <th scope="col">{owner}</th>
            <th scope="col">Name</th>
            <th scope="col" class="number">{left}</th>
            <th scope="col" class="number">{right}</th>
            <th scope="col">Difference</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={`${row.owner} ${row.name}`} class={row.became}>
              <td class="owner" title={row.owner}>
                {row.owner === rows[index - 1]?.owner ? "" : row.owner}
              </td>
              <td title={row.name}>{row.name}</td>
              <ValueCell text={sideTexts(row)[0]} there={"old" in row} />
              <ValueCell text={sideTexts(row)[1]} there={"new" in row} />
              <td>
                <Difference row={row} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function ValueCell({ text, there }: { text: string; there: boolean }): JSX.Element {
  return (
    <td class="number value" title={there ? text : "it is not there"}>
      {there ? text : <span class="faint">–</span>}
    </td>
  );
}

function Difference({ row }: { row: ValueRow }): JSX.Element {
  const change = changeOf(row);
  if (change === null) return <BecameMark became={row.became} />;
  return (
    <span class={`change ${change.word}`}>
      <span aria-hidden="true">{change.sign}</span> {change.text} <span class="faint">{change.word}</span>
    </span>
  );
}
