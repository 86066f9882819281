// What is shown when the page itself fails, such as when a newer farmd no longer has a part of it: why, and the way out.
import { Component, type ReactNode } from 'react';

export class Failed extends Component<{ children: ReactNode }, { problem: string }> {
  override state = { problem: '' };

  static getDerivedStateFromError(problem: unknown): { problem: string } {
    return { problem: problem instanceof Error ? problem.message : String(problem) };
  }

  override render(): ReactNode {
    if (!this.state.problem) return this.props.children;
    return (
      <main className="failed" role="alert">
        <h1>This page has failed</h1>
        <p>{this.state.problem}</p>
        <p className="dim">The farm is not touched by that.</p>
        <button type="button" data-tone="main" onClick={() => location.reload()}>
          load it again
        </button>
      </main>
    );
  }
}
