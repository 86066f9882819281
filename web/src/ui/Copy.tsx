// Commands to copy. The text itself is shown, so that it can be read, and taken by hand where a browser forbids more.
import { useState } from 'react';
import type { Commands } from '../actions/commands';

function CopyButton({ text, label }: { text: string; label: string }) {
  const [said, setSaid] = useState('copy');
  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      setSaid('copied');
    } catch {
      setSaid('select the text');
    }
    setTimeout(() => setSaid('copy'), 1500);
  }
  return (
    <button type="button" onClick={() => void copy()} aria-label={`copy as ${label}`}>
      {said}
    </button>
  );
}

export function CommandLines({ commands }: { commands: Commands }) {
  return (
    <div className="commands">
      <div>
        <code tabIndex={0}>{commands.farmd}</code>
        <CopyButton text={commands.farmd} label="farmd" />
      </div>
      <div>
        <code tabIndex={0}>{commands.curl}</code>
        <CopyButton text={commands.curl} label="curl" />
      </div>
    </div>
  );
}
