/**
 * A dialog over one tab: modal within it, Escape closes it, Tab goes round inside, and focus returns to
 * where it came from.
 */
import { useEffect, useRef } from 'react';
import type { KeyboardEvent, ReactNode } from 'react';

import { useUi } from './context';
import { Icon } from './Icon';

const FOCUSABLE =
  'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), ' +
  'summary, [tabindex="0"], [contenteditable="true"]';
/** Where writing begins, unless a view marks another place. */
const FIRST = 'input:not(:disabled), textarea, select:not(:disabled)';

/** Where Tab can go inside `node`, parts that are folded away left out. */
function stops(node: HTMLElement): HTMLElement[] {
  return [...node.querySelectorAll<HTMLElement>(FOCUSABLE)].filter(each => {
    const fold = each.closest('details:not([open])');
    return !fold || (each.tagName === 'SUMMARY' && each.parentElement === fold);
  });
}

export interface DialogProps {
  title: string;
  /** How much room it takes: of a form, of two columns, or all there is. */
  size?: 'form' | 'wide' | 'sheet';
  onClose: () => void;
  children: ReactNode;
  /** Buttons of the last line. */
  foot?: ReactNode;
  /** Makes a form of it. */
  onSubmit?: () => void;
}

export function Dialog({
  title,
  size = 'form',
  onClose,
  children,
  foot,
  onSubmit
}: DialogProps): JSX.Element {
  const { trans } = useUi();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    const node = box.current;
    const first = node?.querySelector<HTMLElement>('[data-first]') ?? node?.querySelector<HTMLElement>(FIRST);
    (first ?? node)?.focus();
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) {
        opener.focus({ preventScroll: true });
      }
    };
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && !event.defaultPrevented) {
      event.stopPropagation();
      onClose();
    } else if (event.key === 'Tab' && box.current) {
      const all = stops(box.current);
      const [first, last] = [all[0], all[all.length - 1]];
      if (
        document.activeElement === (event.shiftKey ? first : last) ||
        document.activeElement === box.current
      ) {
        event.preventDefault();
        (event.shiftKey ? last : first)?.focus();
      }
    }
  };
  const contents = (
    <>
      <header className="ca-Dialog-head">
        <h2>{title}</h2>
        <button
          type="button"
          className="ca-Button"
          aria-label={trans.__('Close')}
          title={trans.__('Close')}
          onClick={onClose}
        >
          <Icon name="close" />
        </button>
      </header>
      <div className="ca-Dialog-body">{children}</div>
      {foot && <footer className="ca-Dialog-foot">{foot}</footer>}
    </>
  );
  return (
    <div className="ca-Veil" data-size={size}>
      {/* Keys of a dialog: Escape closes it, Tab stays inside. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <div
        ref={box}
        className="ca-Dialog"
        role="dialog"
        aria-modal="true"
        aria-label={title}
        tabIndex={-1}
        onKeyDown={onKeyDown}
      >
        {onSubmit ? (
          <form
            onSubmit={event => {
              event.preventDefault();
              onSubmit();
            }}
          >
            {contents}
          </form>
        ) : (
          contents
        )}
      </div>
    </div>
  );
}
