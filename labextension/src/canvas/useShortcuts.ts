/**
 * Keys that hold anywhere in the tab, wherever its focus is: Ctrl+F and "/" lead to the search of cards.
 *
 * Below the canvas the monitor has a search of its own, and a text field keeps its letters.
 */
import type { RefObject } from 'react';
import { useEffect } from 'react';

import { useActions } from '../ui/context';

export function isText(target: EventTarget | null): boolean {
  return (
    target instanceof Element && target.closest('input, textarea, select, [contenteditable="true"]') !== null
  );
}

/** The tab around the canvas: focus may be on it, outside of all that React draws. */
const TAB = '.ca-ProjectTab';

export function useShortcuts(root: RefObject<HTMLElement>): void {
  const actions = useActions();
  useEffect(() => {
    const tab = root.current?.closest<HTMLElement>(TAB) ?? root.current;
    const onKeyDown = (event: KeyboardEvent) => {
      const inMonitor = event.target instanceof Element && event.target.closest('.ca-Drawer') !== null;
      const find = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'f';
      const slash = event.key === '/' && !event.ctrlKey && !event.metaKey && !isText(event.target);
      if (event.defaultPrevented || inMonitor || !(find || slash)) {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
      actions.search(true);
      root.current?.querySelector<HTMLElement>('.ca-Search input')?.focus();
    };
    tab?.addEventListener('keydown', onKeyDown);
    return () => tab?.removeEventListener('keydown', onKeyDown);
  }, [actions, root]);
}
