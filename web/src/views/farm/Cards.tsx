// The farm as cards: up to CARDS_MAX servers. One of them has the keyboard's focus; arrow keys move it.
import { useCallback, useRef, useState, type KeyboardEvent, type MouseEvent } from 'react';
import { Card } from './Card';
import { actByClick, actByKey, moved } from './keys';
import { useBand, type Rectangle } from './useBand';
import { useRoom } from './room';
import { useShown } from './useArrangement';

const PAGE_ROWS = 4;

function columnsOf(grid: Element): number {
  return getComputedStyle(grid).gridTemplateColumns.split(' ').length;
}

export function Cards() {
  const shown = useShown();
  const area = useRef<HTMLDivElement>(null);
  const [focused, setFocused] = useState(0);
  const order = useRef(shown.order);
  order.current = shown.order;
  const focusId = shown.order.includes(focused) ? focused : shown.order[0];

  const onClick = useCallback((id: number, event: MouseEvent) => {
    setFocused(id);
    actByClick(order.current, id, event);
  }, []);

  const onKeyDown = useCallback((id: number, event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    const to = moved(order.current, id, event.key, columnsOf(event.currentTarget.parentElement!), PAGE_ROWS);
    if (to !== null) {
      setFocused(to);
      area.current?.querySelector<HTMLElement>(`[data-id="${to}"]`)?.focus();
      if (event.shiftKey) actByKey(order.current, to, { key: ' ', shiftKey: true } as KeyboardEvent);
    }
    if (to !== null || actByKey(order.current, id, event)) event.preventDefault();
  }, []);

  const idsIn = useCallback((band: Rectangle) => {
    const cards = area.current?.querySelectorAll<HTMLElement>('.card') ?? [];
    return [...cards].filter((card) => {
      const box = card.getBoundingClientRect();
      return box.left < band.right && box.right > band.left && box.top < band.bottom && box.bottom > band.top;
    }).map((card) => Number(card.dataset.id));
  }, []);
  useBand(area, idsIn);
  useRoom(area, shown.total, shown.groups.length);

  return (
    <div ref={area}>
      {shown.groups.map((group) => (
        <section key={group.label}>
          {group.label && <h2>{group.label} · {group.ids.length}</h2>}
          <div className="cards" role="grid" aria-label={group.label || 'servers'} aria-multiselectable="true">
            {group.ids.map((id) => (
              <Card key={id} id={id} isFocused={id === focusId} onClick={onClick} onKeyDown={onKeyDown} />
            ))}
          </div>
        </section>
      ))}
    </div>
  );
}
