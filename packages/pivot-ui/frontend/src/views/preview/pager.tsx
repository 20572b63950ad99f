// Goes through the pages of a table or a directory.
import type { JSX } from "preact";
import { exported } from "../../api/client.ts";
import { rangeText } from "./pages.ts";

export interface Page {
  offset: number;
  count: number;
  total: number | null;
  more: boolean;
  size: number;
}

export function Pager({ page, noun, busy, go }: { page: Page; noun: string; busy: boolean; go: (offset: number) => void }): JSX.Element | null {
  if (exported() || (page.offset === 0 && !page.more)) return <p class="pager faint">{rangeText(page, noun)}</p>;
  const last = page.total === null ? null : Math.max(0, Math.ceil(page.total / page.size) - 1) * page.size;
  return (
    <nav class="pager" aria-label="Pages" aria-busy={busy}>
      <button title="First page" aria-disabled={page.offset === 0} onClick={() => go(0)}>
        First
      </button>
      <button aria-disabled={page.offset === 0} title="Previous page ([)" onClick={() => go(Math.max(0, page.offset - page.size))}>
        Previous
      </button>
      <span role="status">{rangeText(page, noun)}</span>
      <button aria-disabled={!page.more} title="Next page (])" onClick={() => page.more && go(page.offset + page.size)}>
        Next
      </button>
      {last === null ? null : (
        <button title="Last page" aria-disabled={!page.more} onClick={() => go(last)}>
          Last
        </button>
      )}
    </nav>
  );
}
