// What is said in place of content: a failure with the way out, or that nothing is there yet.
import type { ComponentChildren, JSX } from "preact";
import type { Answer, Problem } from "../store.ts";

export function ProblemNote({ problem }: { problem: Problem }): JSX.Element {
  return (
    <div class="problem" role="alert">
      <p>{problem.error}</p>
      {problem.traceback ? <pre tabIndex={0}>{problem.traceback.trimEnd()}</pre> : null}
      {problem.hint ? <p class="hint">{problem.hint}</p> : null}
    </div>
  );
}

export function Empty({ children }: { children: ComponentChildren }): JSX.Element {
  return <div class="empty">{children}</div>;
}

/** Show an answer once it is there; its failure otherwise. */
export function Answered<T>({ answer, children }: { answer: Answer<T>; children: (value: T) => ComponentChildren }): JSX.Element {
  if (answer.value !== null)
    return (
      <>
        {answer.problem ? <ProblemNote problem={answer.problem} /> : null}
        {children(answer.value)}
      </>
    );
  if (answer.problem) return <ProblemNote problem={answer.problem} />;
  return (
    <div class="loading" aria-busy="true">
      Loading…
    </div>
  );
}
