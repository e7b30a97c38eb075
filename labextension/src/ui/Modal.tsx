/**
 * A dialog that is modal within its tab: Escape closes it, Tab goes round inside, focus comes back after.
 */
import { useEffect, useRef } from 'react';
import type { KeyboardEvent, ReactNode } from 'react';

const FOCUSABLE =
  'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), ' +
  'summary, [tabindex="0"]';

/** Where Tab can go inside `node`, parts that are folded away left out. */
function stops(node: HTMLElement): HTMLElement[] {
  return [...node.querySelectorAll<HTMLElement>(FOCUSABLE)].filter(each => {
    const fold = each.closest('details:not([open])');
    return !fold || (each.tagName === 'SUMMARY' && each.parentElement === fold);
  });
}

export function Modal(props: {
  label: string;
  /** How much room it takes: of a form, of a form with two columns, or all there is. */
  size?: 'form' | 'wide' | 'sheet';
  onClose: () => void;
  children: ReactNode;
}): JSX.Element {
  const { label, size = 'form', onClose, children } = props;
  const dialog = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const node = dialog.current;
    const first = node?.querySelector<HTMLElement>('[data-first]') ?? node?.querySelector('input, textarea');
    ((first as HTMLElement | null) ?? node)?.focus();
    return () => before?.focus?.({ preventScroll: true });
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && !event.defaultPrevented) {
      event.stopPropagation();
      onClose();
    } else if (event.key === 'Tab' && dialog.current) {
      const all = stops(dialog.current);
      const [first, last] = [all[0], all[all.length - 1]];
      const edge = event.shiftKey ? first : last;
      if (document.activeElement === edge || document.activeElement === dialog.current) {
        event.preventDefault();
        (event.shiftKey ? last : first)?.focus();
      }
    }
  };
  return (
    <div className="ca-Veil" data-size={size}>
      {/* Keys of a dialog: Escape closes it, Tab stays inside. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <div
        ref={dialog}
        role="dialog"
        aria-modal="true"
        aria-label={label}
        tabIndex={-1}
        onKeyDown={onKeyDown}
      >
        {children}
      </div>
    </div>
  );
}
