// Chooses the side of an artifact that is shown: as it is now, as it was recorded, or as it was at a revision.
import type { JSX } from "preact";
import { exported } from "../../api/client.ts";
import { useAnswer } from "../../store.ts";

interface Revisions {
  branches: string[];
  tags: string[];
  commits: { commit: string; short: string; subject: string; time: string }[];
}

export function SideChoice({ side, choose }: { side: string; choose: (side: string) => void }): JSX.Element | null {
  const revisions = useAnswer<Revisions>(exported() ? null : "revisions").value;
  if (exported()) return null;
  const named = [...(revisions?.branches ?? []), ...(revisions?.tags ?? []), ...(revisions?.commits ?? []).map((each) => each.commit)];
  const known = side === "workspace" || side === "recorded" || named.includes(side);
  return (
    <label class="side">
      Show{" "}
      <select value={side} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="workspace">workspace</option>
        <option value="recorded">recorded by the last run</option>
        {known ? null : <option value={side}>{side}</option>}
        <Group label="Branches" values={(revisions?.branches ?? []).map((name) => [name, name])} />
        <Group label="Tags" values={(revisions?.tags ?? []).map((name) => [name, name])} />
        <Group label="Commits" values={(revisions?.commits ?? []).map((each) => [each.commit, `${each.short} ${each.subject}`])} />
      </select>
    </label>
  );
}

function Group({ label, values }: { label: string; values: [value: string, text: string][] }): JSX.Element | null {
  if (!values.length) return null;
  return (
    <optgroup label={label}>
      {values.map(([value, text]) => (
        <option key={value} value={value}>
          {text.length > 70 ? `${text.slice(0, 69)}…` : text}
        </option>
      ))}
    </optgroup>
  );
}
