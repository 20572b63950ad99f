// One stage: why it runs or not, its files, its log, its history, its code.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { command, newestRun, version } from "../../api/live.ts";
import { graph, liveStates, project, type LiveState } from "../../api/shared.ts";
import type { StageDetail } from "../../api/types.ts";
import { Answered, ProblemNote } from "../../parts/messages.tsx";
import { PanelHead } from "../../parts/panel_head.tsx";
import { start } from "../../parts/run_controls.tsx";
import { act } from "../../api/client.ts";
import { Badge } from "../../parts/signs.tsx";
import { SourceLink } from "../../parts/source_link.tsx";
import { Tabs } from "../../parts/tabs.tsx";
import { place } from "../../routes.ts";
import { type Problem, useAnswer, useStore } from "../../store.ts";
import { CodeTab } from "./code_tab.tsx";
import { FilesTab } from "./files_tab.tsx";
import { FingerprintTab } from "./fingerprint_tab.tsx";
import { HistoryTab } from "./history_tab.tsx";
import { LogTab } from "./log_tab.tsx";
import { WhyTab } from "./why_tab.tsx";

export function StageView({ address, tab }: { address: string; tab: string }): JSX.Element {
  return <StagePanel key={address} address={address} tab={tab} />;
}

function StagePanel({ address, tab }: { address: string; tab: string }): JSX.Element {
  const live = useStore(liveStates).get(address);
  const run = useStore(newestRun);
  const ended = run && run.state !== "running" ? run.run : 0;
  const answer = useAnswer<StageDetail>("stage", { address }, `${useStore(version)} ${ended}`);
  const missing = answer.value === null && answer.problem !== null;
  const state = live && live !== "unknown" ? live : (answer.value?.state ?? "unknown");
  return (
    <article class="stage" aria-label={`Stage ${address}`} data-state={state}>
      <Head address={address} detail={answer.value} state={state} />
      {missing ? null : <Tabs tabs={tabsOf(answer.value)} current={tab} address={(name) => place("stage", [address, name])} />}
      <Answered answer={answer} way={{ address: place("graph"), title: "Show the graph" }}>{(detail) => <Part detail={detail} state={state} tab={tab} />}</Answered>
    </article>
  );
}

function tabsOf(detail: StageDetail | null): { name: string; title: string; count?: number }[] {
  return [
    { name: "why", title: "Why" },
    { name: "files", title: "Files", count: detail ? detail.deps.length + detail.outs.length : 0 },
    { name: "log", title: "Log" },
    { name: "history", title: "History", count: detail?.history.length ?? 0 },
    { name: "code", title: "Code" },
    { name: "fingerprint", title: "Fingerprint" },
  ];
}

function Part({ detail, state, tab }: { detail: StageDetail; state: LiveState; tab: string }): JSX.Element {
  switch (tab) {
    case "files":
      return <FilesTab detail={detail} />;
    case "log":
      return <LogTab address={detail.address} running={state === "running"} />;
    case "history":
      return <HistoryTab detail={detail} />;
    case "code":
      return <CodeTab detail={detail} />;
    case "fingerprint":
      return <FingerprintTab detail={detail} />;
    default:
      return <WhyTab detail={detail} state={state} />;
  }
}

function Head({ address, detail, state }: { address: string; detail: StageDetail | null; state: LiveState }): JSX.Element {
  const known = useStore(graph)?.stages.find((stage) => stage.address === address);
  const source = detail?.source ?? (known ? { file: known.file, line: known.line } : null);
  const description = detail?.doc || detail?.desc || known?.desc || "";
  return (
    <PanelHead title={detail?.name ?? known?.name ?? address} sign={<Badge state={state} />}>
      {description ? <Description text={description} /> : null}
      {detail?.signature ? <Signature text={detail.signature} /> : null}
      <div class="stage-line">
        {source?.file ? <SourceLink file={source.file} line={source.line} /> : null}
        {known || detail ? <RunButtons address={address} /> : null}
      </div>
    </PanelHead>
  );
}

/** The first paragraph of a docstring; the rest on demand. */
function Description({ text }: { text: string }): JSX.Element {
  const [first = "", ...rest] = text.trim().split(/\n\s*\n/);
  if (!rest.length) return <p>{first}</p>;
  return (
    <details class="stage-doc">
      <summary>{first}</summary>
      <p>{rest.join("\n\n")}</p>
    </details>
  );
}

function Signature({ text }: { text: string }): JSX.Element {
  return (
    <pre class="signature" tabIndex={0}>
      {text}
    </pre>
  );
}

function RunButtons({ address }: { address: string }): JSX.Element | null {
  const allowed = useStore(project)?.allow_run ?? false;
  const now = useStore(command);
  const [wrong, setWrong] = useState<Problem | null>(null);
  useEffect(() => setWrong(null), [now?.state]);
  if (!allowed) return null;
  const run = (only: boolean): void => void start({ targets: [address], only }).then(setWrong);
  return (
    <span class="controls">
      {now?.state === "running" ? (
        <button onClick={() => void act("stop", {}).catch((error: Problem) => setWrong(error))}>Stop</button>
      ) : (
        <>
          <button class="primary" onClick={() => run(false)} title="pivot repro: this stage, and what is stale above it">
            Run with upstream
          </button>
          <button onClick={() => run(true)} title="pivot run: this stage alone">
            Run alone
          </button>
        </>
      )}
      {wrong ? <ProblemNote problem={wrong} /> : null}
    </span>
  );
}
