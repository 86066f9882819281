// The same tiles as a grid for screen readers: it has the focus, and holds the rows around the active cell only.
import { useTable } from '../../../live/farm';
import { rowOf } from '../../../live/table';
import { useSelection } from '../../../state/selection';
import { sentenceOf } from './Detail';
import { rowAt, type Layout } from './layout';

export function cellId(id: number): string {
  return `tile-${id}`;
}

export function SpokenGrid({ layout, order, index }: { layout: Layout; order: readonly number[]; index: number }) {
  const table = useTable();
  const selected = useSelection((selection) => selection.ids);
  if (!table || layout.rows.length === 0) return null;
  const at = rowAt(layout, index);
  const row = layout.rows[at];
  return (
    <div role="row" className="hidden" aria-rowindex={at + 1}>
      {order.slice(row.first, row.first + row.count).map((id, i) => (
        <span key={id} id={cellId(id)} role="gridcell" aria-colindex={i + 1} aria-selected={selected.has(id)}>
          {rowOf(table, id) >= 0 && sentenceOf(table, rowOf(table, id))}
        </span>
      ))}
    </div>
  );
}
