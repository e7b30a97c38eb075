/**
 * The small toolbar above what is chosen: connect, duplicate, delete; line up, where there are several.
 */
import { NodeToolbar, Position, useReactFlow, useStore } from '@xyflow/react';
import { useEffect, useRef, useState } from 'react';

import type { Definition } from '../api/types';
import type { Side } from '../graph/arrange';
import { cardName, graphOf } from '../graph/graph';
import type { Card } from '../graph/graph';
import { refusal } from '../graph/wires';
import { useActions, useProject, useUi } from '../ui/context';
import type { GlyphName } from '../ui/glyphs';
import { Icon } from '../ui/Icon';
import { kindLabel } from '../ui/labels';

import { sizesOf } from './nodes';

function Tool(props: {
  icon: GlyphName;
  label: string;
  expanded?: boolean;
  onClick: () => void;
}): JSX.Element {
  const { icon, label, expanded, onClick } = props;
  return (
    <button type="button" title={label} aria-label={label} aria-expanded={expanded} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}

/** The cards that `from` can be connected with. */
function candidates(definition: Definition, from: string): Card[] {
  return graphOf(definition).cards.filter(
    card => card.id !== from && refusal(definition, { source: from, target: card.id }) === null
  );
}

export function ConnectMenu(props: { definition: Definition; from: string; close: () => void }): JSX.Element {
  const { definition, from, close } = props;
  const { trans } = useUi();
  const actions = useActions();
  const list = useRef<HTMLDivElement>(null);
  const found = candidates(definition, from);
  useEffect(() => list.current?.querySelector('button')?.focus(), []);
  const step = (by: number) => {
    const items = [...(list.current?.querySelectorAll('button') ?? [])];
    const at = items.indexOf(document.activeElement as HTMLButtonElement);
    items[(at + by + items.length) % items.length]?.focus();
  };
  return (
    <div
      ref={list}
      className="ca-Menu"
      role="menu"
      tabIndex={-1}
      aria-label={trans.__('Connect %1 to', cardName(definition, from))}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          close();
        } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
          step(event.key === 'ArrowDown' ? 1 : -1);
          event.preventDefault();
        }
        event.stopPropagation();
      }}
    >
      {found.length === 0 && (
        <p>{trans.__('Nothing is left to connect it to. Add a card from the palette first.')}</p>
      )}
      {found.map(card => (
        <button
          key={card.id}
          type="button"
          role="menuitem"
          data-kind={card.kind}
          onClick={() => {
            actions.connect(from, card.id);
            close();
          }}
        >
          <Icon name={card.kind} />
          <span className="ca-Clip">{cardName(definition, card.id)}</span>
          <span className="ca-Menu-kind">{kindLabel(trans, card.kind)}</span>
        </button>
      ))}
    </div>
  );
}

const SIDES: Side[] = ['left', 'right', 'top', 'bottom', 'across', 'down'];

function useSideLabel(): (side: Side) => string {
  const { trans } = useUi();
  return side => {
    switch (side) {
      case 'left':
        return trans.__('Align left edges');
      case 'right':
        return trans.__('Align right edges');
      case 'top':
        return trans.__('Align upper edges');
      case 'bottom':
        return trans.__('Align lower edges');
      case 'across':
        return trans.__('Spread evenly across');
      case 'down':
        return trans.__('Spread evenly down');
    }
  };
}

const SIDE_ICON = {
  left: 'alignLeft',
  right: 'alignRight',
  top: 'alignTop',
  bottom: 'alignBottom',
  across: 'spreadAcross',
  down: 'spreadDown'
} as const satisfies Record<Side, GlyphName>;

/** Room above a card that its tools need, in CSS pixels. */
const ABOVE = 52;

/** Whether what is chosen stands so high that tools above it would be cut off. */
function useTooHigh(picked: readonly string[]): boolean {
  return useStore(state => {
    const [, y, zoom] = state.transform;
    const tops = picked.map(id => state.nodeLookup.get(id)?.internals.positionAbsolute.y ?? 0);
    return tops.length > 0 && Math.min(...tops) * zoom + y < ABOVE;
  });
}

export function CardTools({ definition }: { definition: Definition }): JSX.Element | null {
  const { trans } = useUi();
  const actions = useActions();
  const flow = useReactFlow();
  const picked = useProject(state => state.picked);
  const frozen = useProject(state => state.frozen !== null);
  const sideLabel = useSideLabel();
  const tooHigh = useTooHigh(picked);
  const [connecting, setConnecting] = useState(false);
  useEffect(() => setConnecting(false), [picked]);
  if (picked.length === 0 || frozen) {
    return null;
  }
  const [first] = picked;
  const several = picked.length > 1;
  const removable = picked.some(card => card !== 'agent');
  const wired = !several && !first.startsWith('note:');
  return (
    <NodeToolbar
      nodeId={[...picked]}
      isVisible
      position={tooHigh ? Position.Bottom : Position.Top}
      offset={8}
      className="ca-CardTools"
    >
      <div role="toolbar" aria-label={trans.__('What is chosen')}>
        {!several && (
          <Tool
            icon="properties"
            label={trans.__('Properties of %1', cardName(definition, first))}
            onClick={() => actions.openProperties(first)}
          />
        )}
        {wired && (
          <Tool
            icon="connect"
            label={trans.__('Connect to …')}
            expanded={connecting}
            onClick={() => setConnecting(!connecting)}
          />
        )}
        {several &&
          SIDES.map(side => (
            <Tool
              key={side}
              icon={SIDE_ICON[side]}
              label={sideLabel(side)}
              onClick={() => actions.align(side, sizesOf(flow.getNodes()))}
            />
          ))}
        {removable && (
          <>
            <Tool icon="copy" label={trans.__('Duplicate')} onClick={() => actions.duplicate()} />
            <Tool icon="trash" label={trans.__('Delete')} onClick={() => actions.remove()} />
          </>
        )}
      </div>
      {connecting && <ConnectMenu definition={definition} from={first} close={() => setConnecting(false)} />}
    </NodeToolbar>
  );
}
