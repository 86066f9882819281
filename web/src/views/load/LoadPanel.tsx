// Load the farm and test it: load tests, burning, a request to all, a probe now.
import { useState } from 'react';
import { useLoadTests } from '../../state/loadTests';
import { go } from '../../state/place';
import { Dialog } from '../../ui/Dialog';
import { Tabs } from '../../ui/Tabs';
import { Broadcast, HealthCheck, Simulate } from './Checks';
import { History } from './History';
import { LoadForm } from './LoadForm';
import { RunView } from './RunView';
import './load.css';

function LoadTests() {
  const { runs, problem } = useLoadTests();
  const [open, setOpen] = useState('');
  if (open) return <RunView key={open} id={open} onBack={() => setOpen('')} />;
  return (
    <div className="load-columns">
      <LoadForm onBegun={setOpen} />
      <section aria-label="load tests so far">
        <h3>So far</h3>
        {problem && <p className="problem">{problem}</p>}
        <History runs={runs} onOpen={setOpen} />
      </section>
    </div>
  );
}

export function LoadPanel() {
  return (
    <Dialog title="Load and test" size="wide" onClose={() => go({ panel: '' })}>
      <Tabs
        label="ways to load and test"
        tabs={[
          { name: 'load', title: 'load test', render: () => <LoadTests /> },
          { name: 'simulate', title: 'simulate load', render: () => <Simulate /> },
          { name: 'broadcast', title: 'broadcast', render: () => <Broadcast /> },
          { name: 'health', title: 'health check', render: () => <HealthCheck /> },
        ]}
      />
    </Dialog>
  );
}
