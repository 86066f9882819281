import { useState } from 'react';
import { ActionBar } from './views/actions/ActionBar';
import { Dialogs } from './views/actions/Dialogs';
import { FarmView } from './views/farm/FarmView';
import { Tools } from './views/farm/Tools';
import { ShownContext, useArrangement } from './views/farm/useArrangement';
import { Help } from './views/help/Help';
import { useKeys } from './views/help/useKeys';
import { Side } from './views/server/Side';
import { Notices } from './views/top/Notices';
import { Summary } from './views/top/Summary';
import { TopBar } from './views/top/TopBar';

export function App() {
  const [isHeld, setHeld] = useState(false);
  const shown = useArrangement(isHeld);
  useKeys();
  return (
    <ShownContext value={shown}>
      <div className="page">
        <TopBar />
        <Notices />
        <Tools />
        <FarmView onHold={setHeld} />
        <Side />
        <ActionBar />
      </div>
      <Summary />
      <Dialogs />
      <Help />
    </ShownContext>
  );
}
