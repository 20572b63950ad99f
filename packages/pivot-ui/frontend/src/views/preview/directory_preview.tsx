// The entries of a directory; one that is chosen is shown in its place.
import type { JSX } from "preact";
import type { Preview } from "../../api/types.ts";
import { size } from "../../parts/formats.ts";

interface Props {
  shown: Preview;
  inside: string | undefined;
  onKey: (event: KeyboardEvent) => void;
  onEnter: ((inside: string) => void) | undefined;
}

export function DirectoryPreview({ shown, inside, onKey, onEnter }: Props): JSX.Element {
  return (
    <div class="table-preview" role="region" aria-label={`Entries of ${shown.path}`} onKeyDown={onKey}>
      <table class="entries">
        <thead>
          <tr>
            <th scope="col">name</th>
            <th scope="col">kind</th>
            <th scope="col" class="number">
              size
            </th>
          </tr>
        </thead>
        <tbody>
          {(shown.entries ?? []).map((entry) => (
            <tr key={entry.name}>
              <td>
                {onEnter ? (
                  <button class="link" title={entry.name} onClick={() => onEnter(inside ? `${inside}/${entry.name}` : entry.name)}>
                    {entry.name}
                    {entry.kind === "directory" ? "/" : ""}
                  </button>
                ) : (
                  entry.name
                )}
              </td>
              <td class="faint">{entry.kind}</td>
              <td class="number">{size(entry.size)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
