// What a stage has printed; while it runs, what it prints.
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { addressOf, exported } from "../../api/client.ts";
import { version } from "../../api/live.ts";
import type { Log } from "../../api/types.ts";
import { counted, size } from "../../parts/formats.ts";
import { Answered } from "../../parts/messages.tsx";
import { useAnswer, useStore } from "../../store.ts";
import { LogText } from "./ansi.ts";
import { LogLines } from "./log_lines.tsx";

export function LogTab({ address, running }: { address: string; running: boolean }): JSX.Element {
  return running && !exported() ? <Following key={address} address={address} /> : <Recorded address={address} />;
}

function Recorded({ address }: { address: string }): JSX.Element {
  const answer = useAnswer<Log>("log", { address }, useStore(version));
  return (
    <div class="panel log">
      <Answered answer={answer}>
        {(log) => (
          <>
            <p class="preview-facts">
              {[log.state, size(log.size), log.path].filter(Boolean).join(" · ")}
              {log.truncated ? " · its beginning is not shown" : ""}
            </p>
            <Whole text={log.text} />
          </>
        )}
      </Answered>
    </div>
  );
}

function Whole({ text }: { text: string }): JSX.Element {
  const log = useMemo(() => new LogText().add(text), [text]);
  return <LogLines log={log} count={log.lines.length} follows={false} />;
}

function Following({ address }: { address: string }): JSX.Element {
  const [log, setLog] = useState(() => new LogText());
  const [count, setCount] = useState(0);
  const [state, setState] = useState("running");
  useEffect(() => {
    let text = new LogText();
    const source = new EventSource(addressOf("log/follow", { address }));
    source.onopen = () => {
      text = new LogText(); // it begins with the first byte, also when it is connected again
      setLog(text);
    };
    source.addEventListener("text", (event) => {
      text.add((JSON.parse((event as MessageEvent<string>).data) as { text: string }).text);
      setCount((before) => before + 1);
    });
    source.addEventListener("end", (event) => {
      setState((JSON.parse((event as MessageEvent<string>).data) as { state: string }).state);
      source.close();
    });
    return () => source.close();
  }, [address]);
  return (
    <div class="panel log">
      <p class="preview-facts" role="status">
        {state === "running" ? "running" : `ended: ${state}`} · {counted(log.lines.length + log.dropped, "line")}
      </p>
      <LogLines log={log} count={count} follows={state === "running"} />
    </div>
  );
}
