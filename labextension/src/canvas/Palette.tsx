/**
 * What can be put on the canvas: drag it there, or press it and it comes beside the card that is chosen.
 */
import { Panel } from '@xyflow/react';

import type { NewKind } from '../graph/items';
import { useActions, useUi } from '../ui/context';
import type { Translation } from '../ui/labels';
import { Icon } from '../ui/Icon';

/** What a drag from the palette carries. */
export const DRAGGED = 'application/x-cloutagent-card';

const KINDS: NewKind[] = ['subagent', 'hook', 'mcp', 'note'];

/** What a new card is called, until somebody names it. */
export function newName(trans: Translation, kind: NewKind): string {
  switch (kind) {
    case 'subagent':
      return trans.__('Subagent');
    case 'hook':
      return trans.__('Hook');
    case 'mcp':
      return trans.__('MCP server');
    case 'note':
      return trans.__('Note');
  }
}

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

export function Palette(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  return (
    <Panel
      position="top-left"
      className="ca-Palette"
      role="toolbar"
      aria-label={trans.__('Add to the canvas')}
    >
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
          onClick={() => actions.add(kind, newName(trans, kind))}
        >
          <Icon name={kind} />
          <span className="ca-Palette-name">{newName(trans, kind)}</span>
        </button>
      ))}
    </Panel>
  );
}
