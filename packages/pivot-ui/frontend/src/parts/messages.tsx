// What is said in place of content: a failure with the way out, or that nothing is there yet.
import type { ComponentChildren, JSX } from "preact";
import type { Answer, Problem } from "../store.ts";

/** A link out of a place where there is nothing. */
interface Way {
  address: string;
  title: string;
}

export function ProblemNote({ problem, way }: { problem: Problem; way?: Way | undefined }): JSX.Element {
  return (
    <div class="problem" role="alert">
      <p>{problem.error}</p>
      {problem.traceback ? <pre tabIndex={0}>{problem.traceback.trimEnd()}</pre> : null}
      {problem.hint ? <p class="hint">{problem.hint}</p> : null}
      {way ? (
        <p class="hint">
          <a href={way.address}>{way.title}</a>
        </p>
      ) : null}
    </div>
  );
}

export function Empty({ children }: { children: ComponentChildren }): JSX.Element {
  return <div class="empty">{children}</div>;
}

interface AnsweredProps<T> {
  answer: Answer<T>;
  /** Where to go if there is nothing. */
  way?: Way;
  children: (value: T) => ComponentChildren;
}

/** Show an answer once it is there; its failure otherwise. */
export function Answered<T>({ answer, way, children }: AnsweredProps<T>): JSX.Element {
  if (answer.value !== null)
    return (
      <>
        {answer.problem ? <ProblemNote problem={answer.problem} /> : null}
        {children(answer.value)}
      </>
    );
  if (answer.problem) return <ProblemNote problem={answer.problem} way={way} />;
  return (
    <div class="loading" aria-busy="true">
      Loading…
    </div>
  );
}
