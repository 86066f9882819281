// The question that is being asked of the user; one at a time.
import { create } from 'zustand';
import type { Action } from '../api/client';

export type Question =
  | { about: 'action'; action: Action; ids: readonly number[] }
  | { about: 'rolling' | 'limits' | 'commands'; ids: readonly number[] }
  | { about: 'scale' };

export const useDialog = create<{ question: Question | null }>(() => ({ question: null }));

export function openDialog(question: Question): void {
  useDialog.setState({ question });
}

export function closeDialog(): void {
  useDialog.setState({ question: null });
}
