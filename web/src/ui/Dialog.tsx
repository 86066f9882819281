// A modal dialog of the browser's own: it keeps the focus inside, closes on Escape and gives the focus back.
// `data-focus` marks what has the focus at first.
import { useEffect, useRef, type ReactNode } from 'react';

interface DialogProps {
  title: string;
  size?: 'wide';
  onClose: () => void;
  children: ReactNode;
}

export function Dialog({ title, size, onClose, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) {
      dialog.showModal();
      dialog.querySelector<HTMLElement>('[data-focus]')?.focus();
    }
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      aria-label={title}
      data-size={size}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === ref.current && onClose()}
    >
      <div className="dialog-head">
        <h2>{title}</h2>
        <button type="button" data-tone="plain" aria-label="close this" onClick={onClose}>
          ✕
        </button>
      </div>
      {children}
    </dialog>
  );
}
