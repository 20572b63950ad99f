// The present, for what works now.
import { useEffect, useState } from "preact/hooks";

/** Milliseconds since the epoch; drawn again each second while it runs. */
export function useClock(runs: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!runs) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [runs]);
  return now;
}
