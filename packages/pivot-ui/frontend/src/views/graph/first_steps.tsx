// What a project without stages shows: the first steps.
import type { JSX } from "preact";
import { project } from "../../api/shared.ts";
import { useStore } from "../../store.ts";

/** A stage that works as it is. */
const EXAMPLE = `from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("words")


@pipeline.register
def shout(
    text: Annotated[str, pivot.Dep("words.txt", Text())],
) -> Annotated[str, pivot.Out("loud.txt", Text())]:
    return text.upper()
`;

export function FirstSteps(): JSX.Element {
  const root = useStore(project)?.root;
  return (
    <section class="first-steps" aria-label="First steps">
      <h2>No stage is defined yet</h2>
      <ol>
        <li>
          Describe a stage in <code>pipeline.py</code>
          {root ? (
            <>
              {" "}
              in <code>{root}</code>
            </>
          ) : null}
          . This page follows: its graph is here once the file is saved.
          <pre class="text-preview" tabIndex={0}>
            {EXAMPLE}
          </pre>
        </li>
        <li>
          Put a few words into <code>words.txt</code>.
        </li>
        <li>
          Run <code>pivot repro</code> in a terminal.
        </li>
      </ol>
      <p>
        Programs in any language can be stages, too: describe them in <code>pivot.yaml</code>. <code>pivot docs</code> has the guides.
      </p>
    </section>
  );
}
