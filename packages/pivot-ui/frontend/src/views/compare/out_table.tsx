// The outs on two sides; one that is chosen is shown as it is on each.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { exported } from "../../api/client.ts";
import type { OutChange } from "../../api/types.ts";
import { size } from "../../parts/formats.ts";
import { place } from "../../routes.ts";
import { Preview } from "../preview/preview.tsx";
import { outBecame } from "./differences.ts";
import type { Sides } from "./side_options.ts";
import { BecameMark } from "./value_tables.tsx";

interface OutTableProps {
  outs: readonly OutChange[];
  left: string;
  right: string;
  sides: Sides;
}

export function OutTable({ outs, left, right, sides }: OutTableProps): JSX.Element {
  const [shown, setShown] = useState<string | null>(null);
  const chosen = outs.find((out) => out.path === shown);
  return (
    <>
      <div class="scroll">
        <table class="sides" aria-label="Outs">
          <thead>
            <tr>
              <th scope="col">Stage</th>
              <th scope="col">Path</th>
              <th scope="col" class="number">{left}</th>
              <th scope="col" class="number">{right}</th>
              <th scope="col">Difference</th>
            </tr>
          </thead>
          <tbody>
            {outs.map((out) => (
              <tr key={out.path} class={outBecame(out)}>
                <td class="owner" title={out.stage}>
                  {out.stage}
                </td>
                <td title={out.path}>
                  {exported() ? (
                    <a href={place("artifact", [], { path: out.path })}>{out.path}</a>
                  ) : (
                    <button class="link" aria-expanded={shown === out.path} onClick={() => setShown(shown === out.path ? null : out.path)}>
                      {out.path}
                    </button>
                  )}
                </td>
                <Side side={out.left} />
                <Side side={out.right} />
                <td>
                  <BecameMark became={outBecame(out)} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {chosen ? <BothSides out={chosen} sides={sides} left={left} right={right} /> : null}
    </>
  );
}

function Side({ side }: { side: OutChange["left"] }): JSX.Element {
  if (side === null)
    return (
      <td class="number">
        <span class="faint">–</span>
      </td>
    );
  return (
    <td class="number" title={side.digest}>
      {size(side.size)} <code class="faint">{side.digest.slice(0, 8)}</code>
    </td>
  );
}

function BothSides({ out, sides, left, right }: { out: OutChange; sides: OutTableProps["sides"]; left: string; right: string }): JSX.Element {
  const one = (title: string, side: string, there: boolean): JSX.Element => (
    <section aria-label={`${out.path}, ${title}`}>
      <h4>
        {title}: {out.path}
      </h4>
      <OneSide path={out.path} side={side} there={there} />
    </section>
  );
  return (
    <div class="both">
      {one(left, sides.left, out.left !== null)}
      {one(right, sides.right, out.right !== null)}
    </div>
  );
}

function OneSide({ path, side, there }: { path: string; side: string; there: boolean }): JSX.Element {
  if (!there) return <p class="faint">It is not there.</p>;
  return (
    <>
      <Preview path={path} side={side} />
      <p>
        <a href={place("artifact", [], { path, side })}>Show more of {path}</a>
      </p>
    </>
  );
}
