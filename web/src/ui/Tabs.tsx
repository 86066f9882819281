// Tabs as ARIA describes them: arrows move between them, the panel follows.
import { useId, useState, type KeyboardEvent, type ReactNode } from 'react';

export interface Tab {
  name: string;
  title: string;
  render: () => ReactNode;
}

export function Tabs({ tabs, label }: { tabs: readonly Tab[]; label: string }) {
  const [name, setName] = useState(tabs[0].name);
  const id = useId();
  const at = Math.max(0, tabs.findIndex((tab) => tab.name === name));
  function onKeyDown(event: KeyboardEvent<HTMLElement>): void {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const next = (at + step + tabs.length) % tabs.length;
    setName(tabs[next].name);
    (event.currentTarget.children[next] as HTMLElement).focus();
  }
  return (
    <>
      <div className="tabs" role="tablist" aria-label={label} onKeyDown={onKeyDown}>
        {tabs.map((tab, i) => (
          <button
            key={tab.name}
            type="button"
            role="tab"
            id={`${id}-${tab.name}`}
            aria-selected={i === at}
            aria-controls={`${id}-panel`}
            tabIndex={i === at ? 0 : -1}
            onClick={() => setName(tab.name)}
          >
            {tab.title}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${tabs[at].name}`}>
        {tabs[at].render()}
      </div>
    </>
  );
}
