/**
 * Where the focus was inside a widget, so that it goes back there when the widget comes to the front again: after
 * the command palette, a menu, another tab. Not here: dialogs and menus of the panel's own (`shellPort`).
 */

/** Remembers what inside `node` had the focus; the answer puts it back, or on `node` where that is gone. */
export function focusBack(node: HTMLElement): () => void {
  let last: HTMLElement | null = null;
  node.addEventListener('focusin', event => {
    last =
      event.target instanceof HTMLElement || event.target instanceof SVGElement
        ? (event.target as HTMLElement)
        : null;
  });
  return () => {
    if (node.contains(document.activeElement)) {
      return;
    }
    if (last !== null && last !== node && node.contains(last)) {
      last.focus({ preventScroll: true });
    }
    // What is disabled or hidden meanwhile takes no focus.
    if (!node.contains(document.activeElement)) {
      node.tabIndex = -1;
      node.focus({ preventScroll: true });
    }
  };
}
