// Which servers are shown, and how.
import { useId } from 'react';
import { SELECTOR_WORDS } from '../../filter/selector';
import { number } from '../../format/format';
import { useFarm } from '../../live/farm';
import { go, usePlace } from '../../state/place';
import { usePreferences, type ColourBy, type SortBy } from '../../state/preferences';
import { select } from '../../state/selection';
import { labelKeys } from './arrange';
import { CARDS_MAX } from './FarmView';
import { useShown } from './useArrangement';

const ENFORCED: Record<string, string> = {
  cgroup2: 'limits by cgroup v2',
  cgroup1: 'limits by cgroup v1',
  none: 'limits not enforced',
};

function Filter() {
  const filter = usePlace((place) => place.filter);
  const { problem } = useShown();
  const words = useId();
  const hint = useId();
  return (
    <div className="filter">
      <input
        id="filter"
        type="search"
        value={filter}
        placeholder="filter: 1-10 · state:unhealthy · cpu>80 · zone=a"
        aria-label="filter"
        aria-invalid={problem !== ''}
        aria-describedby={problem ? hint : undefined}
        list={words}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => go({ filter: event.target.value })}
        onKeyDown={(event) => event.key === 'Escape' && go({ filter: '' })}
      />
      <datalist id={words}>
        {SELECTOR_WORDS.map((word) => (
          <option key={word} value={word} />
        ))}
      </datalist>
      {problem && (
        <p id={hint} className="filter-problem problem">
          {problem}
        </p>
      )}
    </div>
  );
}

function Arranging() {
  const { sortBy, groupBy, colourBy } = usePreferences();
  const keys = useFarm((table) => labelKeys(table).join(','));
  const isTiles = useShown().total > CARDS_MAX;
  return (
    <>
      <select aria-label="sort" value={sortBy} onChange={(event) => usePreferences.setState({ sortBy: event.target.value as SortBy })}>
        <option value="trouble">trouble first</option>
        <option value="id">by number</option>
        <option value="cpu">most CPU first</option>
        <option value="memory">most memory first</option>
        <option value="rate">most requests first</option>
      </select>
      <select aria-label="group" value={groupBy} onChange={(event) => usePreferences.setState({ groupBy: event.target.value })}>
        <option value="">not grouped</option>
        <option value="group">by group</option>
        <option value="state">by state</option>
        {keys?.split(',').filter(Boolean).map((key) => (
          <option key={key} value={`label:${key}`}>
            by {key}
          </option>
        ))}
      </select>
      {isTiles && (
        <select aria-label="colour" value={colourBy} onChange={(event) => usePreferences.setState({ colourBy: event.target.value as ColourBy })}>
          <option value="state">colour by state</option>
          <option value="cpu">colour by CPU</option>
          <option value="memory">colour by memory</option>
          <option value="throttled">colour by throttling</option>
          <option value="p99">colour by latency</option>
          <option value="restarts">colour by restarts</option>
        </select>
      )}
    </>
  );
}

function Shown() {
  const { order, total } = useShown();
  return (
    <>
      <button type="button" disabled={order.length === 0} onClick={() => select(order)}>
        select {order.length === total ? 'all' : 'these'}
      </button>
      <span className="dim" role="status">
        {number(order.length)} of {number(total)}
      </span>
    </>
  );
}

export function Tools() {
  const enforcement = useFarm((table) => table.farm.enforcement);
  const runtime = useFarm((table) => table.farm.runtime);
  return (
    <div className="tools" role="search">
      <Filter />
      <Arranging />
      <Shown />
      {enforcement && (
        <span className="dim push" title="the runtime, and by what the limits are enforced">
          {runtime} · {ENFORCED[enforcement] ?? enforcement}
        </span>
      )}
    </div>
  );
}
