// Lays the graph out beside the page, which stays responsive meanwhile.
import { layOut, type LayoutQuestion } from "./layout.ts";

const scope = self as unknown as DedicatedWorkerGlobalScope;
scope.onmessage = (event: MessageEvent<{ number: number; question: LayoutQuestion }>): void => {
  const { number, question } = event.data;
  scope.postMessage({ number, layout: layOut(question) });
};
