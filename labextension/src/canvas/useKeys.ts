/**
 * The canvas by keyboard and clipboard. Text fields inside it keep their own keys.
 */
import type { ClipboardEvent, KeyboardEvent } from 'react';
import { useMemo } from 'react';

import { readClip } from '../graph/items';
import { useActions } from '../ui/context';

interface Keys {
  onKeyDown: (event: KeyboardEvent) => void;
  onCopy: (event: ClipboardEvent) => void;
  onCut: (event: ClipboardEvent) => void;
  onPaste: (event: ClipboardEvent) => void;
}

function writes(target: EventTarget): boolean {
  return (target as HTMLElement).closest?.('input, textarea, select, [contenteditable]') !== null;
}

/** `focused`: the card that the focus is on, where that is not a node of the canvas. */
export function useKeys(focused?: string): Keys {
  const actions = useActions();
  return useMemo(() => {
    const copy = (event: ClipboardEvent): boolean => {
      const clip = writes(event.target) ? null : actions.copy();
      if (clip) {
        event.clipboardData.setData('text/plain', JSON.stringify(clip));
        event.preventDefault();
      }
      return clip !== null;
    };
    return {
      onKeyDown: event => {
        if (writes(event.target) || event.defaultPrevented) {
          return;
        }
        const node = (event.target as HTMLElement).closest?.('.react-flow__node')?.getAttribute('data-id');
        const card = node ?? focused;
        const onButton = (event.target as HTMLElement).closest?.('button') !== null;
        const command = event.ctrlKey || event.metaKey;
        const done = () => {
          event.preventDefault();
          event.stopPropagation();
        };
        switch (event.key) {
          case 'Enter':
            if (card && !onButton) {
              actions.openProperties(card);
              done();
            }
            break;
          case 'Delete':
          case 'Backspace':
            actions.remove(focused);
            done();
            break;
          case 'a':
            if (command) {
              actions.pickAll();
              done();
            }
            break;
          case 'd':
            if (command) {
              actions.duplicate();
              done();
            }
            break;
          case 's':
            if (command) {
              void actions.save();
              done();
            }
            break;
          case 'y':
            if (command) {
              actions.redo();
              done();
            }
            break;
          case 'z':
          case 'Z':
            if (command) {
              if (event.shiftKey) {
                actions.redo();
              } else {
                actions.undo();
              }
              done();
            }
            break;
        }
      },
      onCopy: copy,
      onCut: event => {
        if (copy(event)) {
          actions.remove();
        }
      },
      onPaste: event => {
        const clip = writes(event.target) ? null : readClip(event.clipboardData.getData('text/plain'));
        if (clip) {
          actions.paste(clip);
          event.preventDefault();
        }
      }
    };
  }, [actions, focused]);
}
