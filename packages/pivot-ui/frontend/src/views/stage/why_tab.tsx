// Why a stage runs, or what shows that it need not.
import type { ComponentChildren, JSX } from "preact";
import { newestRun } from "../../api/live.ts";
import { graph, type LiveState } from "../../api/shared.ts";
import type { RunStage, StageDetail } from "../../api/types.ts";
import { counted, moment } from "../../parts/formats.ts";
import { place } from "../../routes.ts";
import { useStore } from "../../store.ts";
import { ComparedList } from "./compared_list.tsx";
import { CodeChanges, FactTable, type Fact } from "./changes.tsx";
import { LogTab } from "./log_tab.tsx";

export function WhyTab({ detail, state }: { detail: StageDetail; state: LiveState }): JSX.Element {
  const run = useStore(newestRun);
  const now = run?.stages.find((stage) => stage.address === detail.address);
  const said = detail.explanation;
  return (
    <div class="panel why">
      <Verdict detail={detail} state={state} now={now} began={run?.began} />
      {state === "running" ? <LogTab address={detail.address} running /> : null}
      <CodeChanges detail={detail} />
      <Facts title="Parameters" facts={said.param_changes.map((each) => ({ ...each, name: each.key ?? "" }))} />
      <Facts title="Variables" facts={said.variable_changes.map((each) => ({ ...each, reason: "", note: each.place }))} />
      <Facts title="Deps" facts={said.dep_changes.map((each) => ({ ...each, name: each.path ?? "", path: each.path }))} />
      <Facts title="Outs" facts={said.out_changes.map((each) => ({ ...each, name: each.path ?? "", path: each.path }))} />
      <Facts title="Environment" facts={said.env_changes.map((each) => ({ ...each, name: each.name ?? "" }))} />
      <Facts title="Libraries" facts={said.library_changes.map((each) => ({ ...each, name: each.name ?? "" }))} />
      <Upstream title="Stale stages above it" names={said.upstream_stale} />
      <Upstream title="Stages above it that always run" names={said.upstream_always} />
      <Undeclared detail={detail} />
      {detail.compared.length ? <ComparedList compared={detail.compared} equal={state === "cached"} /> : null}
    </div>
  );
}

interface VerdictProps {
  detail: StageDetail;
  state: LiveState;
  now: RunStage | undefined;
  began: string | undefined;
}

function Verdict({ detail, state, now, began }: VerdictProps): JSX.Element {
  const { explanation, deps } = detail;
  const log = <a href={place("stage", [detail.address, "log"])}>its log</a>;
  switch (state) {
    case "cached":
      return <Sentence>Nothing that it depends on has changed since its last run.</Sentence>;
    case "frozen":
      return <Sentence>It is frozen: it does not run, whatever changes. 'pivot unfreeze {detail.name}' ends that.</Sentence>;
    case "always":
      return <Sentence>It runs each time, since it is declared so.</Sentence>;
    case "running":
      return (
        <Sentence>
          It is running{began ? ` since ${moment(new Date(Date.parse(began) + (now?.began ?? 0) * 1000).toISOString())}` : ""}
          {now?.reasons.length ? `: ${now.reasons.join(", ")}` : ""}.
        </Sentence>
      );
    case "failed":
      return (
        <>
          <Sentence>Its last run failed; {log} has what it printed.</Sentence>
          <Failure text={now?.problem || detail.history.find((each) => each.state === "failed")?.problem} />
          <Sentence>{explanation.reason}</Sentence>
        </>
      );
    case "blocked":
      return (
        <>
          <Sentence>{explanation.reason || "It cannot run."}</Sentence>
          <Missing paths={deps.filter((dep) => dep.state === "missing")} />
        </>
      );
    default:
      return (
        <>
          <Sentence>{explanation.reason || "It would run."}</Sentence>
          {failedLast(detail) ? (
            <>
              <Sentence>Its last run failed; {log} has what it printed.</Sentence>
              <Failure text={detail.history[0]?.problem} />
            </>
          ) : null}
        </>
      );
  }
}

const failedLast = (detail: StageDetail): boolean => detail.history[0]?.state === "failed";

function Failure({ text }: { text: string | undefined }): JSX.Element | null {
  return text ? (
    <pre class="failure" tabIndex={0}>
      {text}
    </pre>
  ) : null;
}

const Sentence = ({ children }: { children: ComponentChildren }): JSX.Element => <p class="verdict">{children}</p>;

function Missing({ paths }: { paths: StageDetail["deps"] }): JSX.Element | null {
  if (!paths.length) return null;
  return (
    <ul>
      {paths.map(({ path, writer }) => (
        <li key={path}>
          <a href={place("artifact", [], { path })}>{path}</a> is missing:{" "}
          {writer ? (
            <>
              <a href={place("stage", [writer])}>{writer}</a> writes it
            </>
          ) : (
            <>
              put it there, or fetch it with <code>pivot pull {path}</code>
            </>
          )}
        </li>
      ))}
    </ul>
  );
}

function Facts({ title, facts }: { title: string; facts: Fact[] }): JSX.Element | null {
  if (!facts.length) return null;
  return (
    <section>
      <h3>{title}</h3>
      <FactTable facts={facts} />
    </section>
  );
}

function Upstream({ title, names }: { title: string; names: string[] }): JSX.Element | null {
  const stages = useStore(graph)?.stages ?? [];
  if (!names.length) return null;
  return (
    <section>
      <h3>{title}</h3>
      <p class="stage-names">
        {names.map((name) => (
          <a key={name} href={place("stage", [stages.find((stage) => stage.name === name || stage.address === name)?.address ?? name])}>
            {name}
          </a>
        ))}
      </p>
    </section>
  );
}

function Undeclared({ detail }: { detail: StageDetail }): JSX.Element | null {
  const { undeclared, variables_read: variables, explanation } = detail;
  const unresolved = explanation.unresolved;
  if (!undeclared.length && !variables.length && !unresolved.length) return null;
  return (
    <details class="not-compared" open={undeclared.length + unresolved.length > 0}>
      <summary>Not compared: {[[undeclared.length, "file"], [variables.length, "environment variable"], [unresolved.length, "place in the code"]].filter(([count]) => count).map(([count, noun]) => counted(count as number, noun as string)).join(", ")}</summary>
      <Listed title="Files that it used without declaring them" items={undeclared} />
      <Listed title="Environment variables that it read without declaring them" items={variables} />
      <Listed
        title="Code that cannot be followed"
        items={unresolved.map(({ reason, file, line }) => (file ? `${reason} (${file}${line === null ? "" : `:${line}`})` : reason))}
      />
    </details>
  );
}

function Listed({ title, items }: { title: string; items: string[] }): JSX.Element | null {
  if (!items.length) return null;
  return (
    <>
      <h3>{title}</h3>
      <ul class="mono">
        {items.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
    </>
  );
}
