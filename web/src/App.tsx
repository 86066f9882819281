import { lazy, Suspense, useEffect } from 'react';
import { useFarm } from './live/farm';
import { keepSelected } from './state/selection';
import { usePlace } from './state/place';
import { ActionBar } from './views/actions/ActionBar';
import { Dialogs } from './views/actions/Dialogs';
import { FarmView } from './views/farm/FarmView';
import { Tools } from './views/farm/Tools';
import { ShownProvider } from './views/farm/useArrangement';
import { Help } from './views/help/Help';
import { useKeys } from './views/help/useKeys';
import { Side } from './views/server/Side';
import { Timeline } from './views/timeline/Timeline';
import { Notices } from './views/top/Notices';
import { Summary } from './views/top/Summary';
import { TopBar } from './views/top/TopBar';

/** Loaded when it is opened for the first time. */
const LoadPanel = lazy(() => import('./views/load/LoadPanel').then((module) => ({ default: module.LoadPanel })));

function Panel() {
  const isOpen = usePlace((place) => place.panel === 'load');
  return isOpen ? (
    <Suspense>
      <LoadPanel />
    </Suspense>
  ) : null;
}

function useSelectionOfThose(): void {
  const ids = useFarm((table) => table.columns.id);
  useEffect(() => {
    if (ids) keepSelected(ids);
  }, [ids]);
}

export function App() {
  useSelectionOfThose();
  useKeys();
  return (
    <ShownProvider>
      <div className="page">
        <TopBar />
        <Notices />
        <Tools />
        <FarmView />
        <Side />
        <ActionBar />
        <Timeline />
      </div>
      <Summary />
      <Dialogs />
      <Help />
      <Panel />
    </ShownProvider>
  );
}
