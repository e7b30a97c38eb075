/**
 * A dialog over one tab: modal within it, Escape closes it, Tab goes round inside, and focus returns to
 * where it came from.
 */
import { useEffect, useRef } from 'react';
import type { KeyboardEvent, ReactNode } from 'react';

import { useUi } from './context';
import { Icon } from './Icon';

const FOCUSABLE = 'input, textarea, select, button, a[href], [tabindex="0"], [contenteditable="true"]';

export interface DialogProps {
  title: string;
  onClose: () => void;
  wide?: boolean;
  children: ReactNode;
  /** Buttons of the last line. */
  foot?: ReactNode;
}

export function Dialog({ title, onClose, wide, children, foot }: DialogProps): JSX.Element {
  const { trans } = useUi();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    const first = box.current?.querySelector<HTMLElement>('[data-autofocus], input, textarea, select');
    (first ?? box.current)?.focus();
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) {
        opener.focus();
      }
    };
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') {
      event.stopPropagation();
      onClose();
    } else if (event.key === 'Tab' && box.current) {
      const all = [...box.current.querySelectorAll<HTMLElement>(FOCUSABLE)].filter(
        each => !each.matches(':disabled, [tabindex="-1"]')
      );
      const edge = event.shiftKey ? all[0] : all[all.length - 1];
      if (document.activeElement === edge || document.activeElement === box.current) {
        event.preventDefault();
        (event.shiftKey ? all[all.length - 1] : all[0])?.focus();
      }
    }
  };
  return (
    <div className="ca-Veil">
      {/* Keys of a dialog: Escape closes it, Tab stays inside. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <div
        ref={box}
        className="ca-DialogBox"
        data-wide={wide || undefined}
        role="dialog"
        aria-modal="true"
        aria-label={title}
        tabIndex={-1}
        onKeyDown={onKeyDown}
      >
        <header className="ca-DialogBox-head">
          <h2>{title}</h2>
          <button type="button" className="ca-Button" aria-label={trans.__('Close')} onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        <div className="ca-DialogBox-body">{children}</div>
        {foot && <footer className="ca-Dialog-buttons">{foot}</footer>}
      </div>
    </div>
  );
}
