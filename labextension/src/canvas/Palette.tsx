/**
 * What can be put on the canvas: drag it there, or press it and it comes beside the card that is chosen.
 */
import { Panel } from '@xyflow/react';
import { useEffect, useRef, useState } from 'react';

import type { NewKind } from '../graph/items';
import { useActions, useProject, useUi } from '../ui/context';
import { newName } from '../ui/labels';
import type { Translation } from '../ui/labels';
import { Icon } from '../ui/Icon';

import type { Room } from './fit';

/** What a drag from the palette carries. */
export const DRAGGED = 'application/x-cloutagent-card';

const KINDS: NewKind[] = ['subagent', 'hook', 'mcp', 'note'];

function purpose(trans: Translation, kind: NewKind): string {
  switch (kind) {
    case 'subagent':
      return trans.__('Subagent: an agent that another one delegates to');
    case 'hook':
      return trans.__('Hook: is asked or told when something happens, and can refuse it');
    case 'mcp':
      return trans.__('MCP server: a program or an address that brings tools');
    case 'note':
      return trans.__('Note: for people, no model reads it');
  }
}

/** The kinds, each to be dragged or pressed; `done` after one was put on the canvas. */
export function Kinds({ done }: { done: () => void }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  return (
    <>
      {KINDS.map(kind => (
        <button
          key={kind}
          type="button"
          data-kind={kind}
          draggable
          title={purpose(trans, kind)}
          aria-label={trans.__('Add %1', newName(trans, kind))}
          onDragStart={event => {
            event.dataTransfer.setData(DRAGGED, kind);
            event.dataTransfer.effectAllowed = 'copy';
          }}
          onDragEnd={done}
          onClick={() => {
            actions.add(kind, newName(trans, kind));
            done();
          }}
        >
          <Icon name={kind} />
          <span className="ca-Palette-name">{newName(trans, kind)}</span>
        </button>
      ))}
    </>
  );
}

/** Where there is no room for the palette beside the cards it is a button, and lies over them only while open. */
function Folded(): JSX.Element {
  const { trans } = useUi();
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) {
      return;
    }
    root.current?.querySelector<HTMLButtonElement>('[data-kind]')?.focus();
    const elsewhere = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as globalThis.Node)) {
        setOpen(false);
      }
    };
    document.addEventListener('pointerdown', elsewhere, true);
    return () => document.removeEventListener('pointerdown', elsewhere, true);
  }, [open]);
  const label = trans.__('Add to the canvas');
  return (
    // Escape folds it from wherever the focus is inside.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      ref={root}
      className="ca-Palette-folded"
      onKeyDown={event => {
        if (open && event.key === 'Escape') {
          setOpen(false);
          button.current?.focus();
          event.stopPropagation();
        }
      }}
    >
      <button
        ref={button}
        type="button"
        className="ca-Palette-open"
        title={label}
        aria-label={label}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon name={open ? 'close' : 'plus'} />
      </button>
      {open && (
        <div className="ca-Palette" role="toolbar" aria-label={label}>
          <Kinds done={() => setOpen(false)} />
        </div>
      )}
    </div>
  );
}

export function Palette({ room }: { room: Room }): JSX.Element {
  const { trans } = useUi();
  // Whoever is shown it for the first time has to read what is what.
  const pointedAt = useProject(state => state.tour === 0);
  if (room === 'narrow') {
    return (
      <Panel position="top-left">
        <Folded />
      </Panel>
    );
  }
  return (
    <Panel
      position="top-left"
      className="ca-Palette"
      role="toolbar"
      aria-label={trans.__('Add to the canvas')}
      data-icons={(room === 'middle' && !pointedAt) || undefined}
    >
      <Kinds done={() => undefined} />
    </Panel>
  );
}
