// Tabs that are links, so that each has an address.
import type { JSX } from "preact";

interface Tab {
  name: string;
  title: string;
  count?: number;
}

export function Tabs({ tabs, current, address }: { tabs: Tab[]; current: string; address: (name: string) => string }): JSX.Element {
  return (
    <nav class="tabs" aria-label="Parts">
      {tabs.map((tab) => (
        <a key={tab.name} href={address(tab.name)} aria-current={tab.name === current ? "page" : undefined}>
          {tab.title}
          {tab.count ? <span class="count">{tab.count}</span> : null}
        </a>
      ))}
    </nav>
  );
}
