/**
 * The cards as a tree: all that the canvas shows and can do, as lines. For whoever reads rather than draws,
 * works by keyboard, or listens.
 */
import { memo, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { FocusEvent, KeyboardEvent } from 'react';

import type { Definition } from '../api/types';
import { titleOf } from '../graph/find';
import type { Card } from '../graph/graph';
import { graphOf } from '../graph/graph';
import type { Row } from '../graph/outline';
import { outlineOf, unfolded } from '../graph/outline';
import { cardRun } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { money, shortModel, tokens } from '../ui/format';
import type { Translation } from '../ui/labels';
import { Icon } from '../ui/Icon';
import { kindLabel } from '../ui/labels';

import { StateBadge } from './CardShell';
import { ConnectMenu } from './CardTools';
import { actionFact, names, serverFact } from './facts';
import { Kinds } from './Palette';
import { ProblemBadge } from './ProblemBadge';
import { useKeys } from './useKeys';
import { ViewButtons } from './ViewButtons';

/** What the second half of a line says about its card. */
function aboutOf(trans: Translation, card: Card): string {
  switch (card.kind) {
    case 'agent':
      return [shortModel(card.item.model), names(trans, card.item.tools)].join(' · ');
    case 'subagent':
      return [card.item.model ? shortModel(card.item.model) : '', names(trans, card.item.tools)]
        .filter(Boolean)
        .join(' · ');
    case 'hook':
      return [card.item.event, card.item.matcher || trans.__('all tools'), actionFact(card.item)].join(' · ');
    case 'mcp':
      return serverFact(card.item) || trans.__('no program and no address yet');
    case 'note':
      return card.item.text.split('\n').slice(1).join(' ').trim();
  }
}

interface LineProps {
  row: Row;
  title: string;
  open: boolean;
  chosen: boolean;
  focused: boolean;
  onFold: (row: Row) => void;
  onFocus: (row: Row) => void;
}

const Line = memo(function Line({ row, title, open, chosen, focused, onFold, onFocus }: LineProps) {
  const { trans } = useUi();
  const actions = useActions();
  const { card } = row;
  const run = useProject(state => cardRun(state, card.id));
  const off = 'enabled' in card.item && !card.item.enabled;
  return (
    // The tree around it has the keys.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events
    <div
      className="ca-Outline-row"
      role="treeitem"
      aria-level={row.level}
      aria-posinset={row.place}
      aria-setsize={row.of}
      aria-expanded={row.children.length ? open : undefined}
      aria-selected={chosen}
      aria-label={trans.__('%1: %2', kindLabel(trans, card.kind), title)}
      tabIndex={focused ? 0 : -1}
      data-key={row.key}
      data-kind={card.kind}
      data-off={off || undefined}
      style={{ '--ca-level': row.level - 1 } as React.CSSProperties}
      onFocus={() => onFocus(row)}
      onClick={event => {
        event.currentTarget.focus();
        if (!event.ctrlKey && !event.metaKey) {
          actions.select(card.id);
        } else {
          actions.pickAlso(card.id);
        }
      }}
      onDoubleClick={() => actions.openProperties(card.id)}
    >
      <span
        className="ca-Outline-fold"
        aria-hidden="true"
        onClick={event => {
          if (row.children.length) {
            event.stopPropagation();
            onFold(row);
          }
        }}
      >
        {row.children.length > 0 && <Icon name={open ? 'down' : 'right'} />}
      </span>
      <span className="ca-Card-icon" data-kind={card.kind}>
        <Icon name={card.kind} />
      </span>
      <strong className="ca-Clip">{title}</strong>
      <span className="ca-Outline-about ca-Clip">{aboutOf(trans, card)}</span>
      {row.loose && !off && <span className="ca-Badge">{trans.__('not connected')}</span>}
      {run && (card.kind === 'agent' || card.kind === 'subagent') && (
        <span className="ca-Outline-numbers">
          {trans.__('%1 tok', tokens(run.tokens))} · {money(run.costUsd)}
        </span>
      )}
      {card.kind !== 'note' && <StateBadge id={card.id} run={run} enabled={!off} />}
      <ProblemBadge id={card.id} />
    </div>
  );
});

/** Keys of a tree, and those of the canvas for the line that has the focus. */
function useTreeKeys(
  rows: Row[],
  at: Row | undefined,
  fold: (row: Row) => void,
  move: (row: Row | undefined, choose: boolean) => void
) {
  const actions = useActions();
  return (event: KeyboardEvent) => {
    const command = event.ctrlKey || event.metaKey;
    if (!at || event.altKey || (command && !event.key.startsWith('Arrow'))) {
      return;
    }
    const go = (row?: Row) => move(row, !command);
    const index = rows.indexOf(at);
    const open = rows.some(row => row.parent === at.key);
    switch (event.key) {
      case 'ArrowDown':
        go(rows[index + 1]);
        break;
      case 'ArrowUp':
        go(rows[index - 1]);
        break;
      case 'Home':
        go(rows[0]);
        break;
      case 'End':
        go(rows[rows.length - 1]);
        break;
      case 'ArrowRight':
        if (at.children.length && !open) {
          fold(at);
        } else if (open) {
          go(rows[index + 1]);
        }
        break;
      case 'ArrowLeft':
        if (open) {
          fold(at);
        } else {
          go(rows.find(row => row.key === at.parent));
        }
        break;
      case 'Enter':
        actions.openProperties(at.card.id);
        break;
      case ' ':
        actions.pickAlso(at.card.id);
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
}

/**
 * Keeps the focus in the outline when the line or button that had it is taken away: the line in its place has it
 * then. Left to the browser it would fall to the page, where no key means anything.
 */
function useKeptFocus(seen: readonly Row[], at: Row | undefined, give: (row: Row | undefined) => void) {
  const held = useRef<Element | null>(null);
  const place = useRef(0);
  useLayoutEffect(() => {
    if (held.current && !held.current.isConnected && document.activeElement === document.body) {
      held.current = null;
      give(seen[Math.min(place.current, seen.length - 1)]);
    }
    place.current = at ? seen.indexOf(at) : 0;
  });
  return {
    onFocus: ({ target }: FocusEvent) => void (held.current = target),
    // Of an element that goes the browser tells the same as of one that is left, or nothing.
    onBlur: ({ target }: FocusEvent) =>
      queueMicrotask(() => {
        if (held.current === target && target.isConnected && document.hasFocus()) {
          held.current = null;
        }
      })
  };
}

export function Outline({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const frozen = useProject(state => state.frozen !== null);
  const picked = useProject(state => state.picked);
  const sought = useProject(state => state.sought);
  const rows = useMemo(() => outlineOf(graphOf(definition)), [definition]);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [focus, setFocus] = useState<string>('agent');
  const [connecting, setConnecting] = useState(false);
  const tree = useRef<HTMLDivElement>(null);
  const seen = unfolded(rows, folded);
  const at = seen.find(row => row.key === focus) ?? seen[0];
  const fold = (row: Row) => {
    const next = new Set(folded);
    if (!next.delete(row.key)) {
      next.add(row.key);
    }
    setFolded(next);
  };
  /** To another line; it is chosen then, unless somebody is only passing (Ctrl). */
  const move = (row: Row | undefined, choose: boolean) => {
    if (row) {
      setFocus(row.key);
      if (choose) {
        actions.pick([row.card.id], []);
      }
      // Ids are letters, digits and dashes: nothing in a key needs escaping.
      tree.current?.querySelector<HTMLElement>(`[data-key="${row.key}"]`)?.focus();
    }
  };
  useEffect(() => {
    if (sought) {
      setFolded(new Set());
      const row = rows.find(each => each.card.id === sought.card);
      // Drawn first where it was folded.
      requestAnimationFrame(() => move(row, true));
    }
    // Only a new search moves the focus.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [sought]);
  useEffect(() => setConnecting(false), [focus]);
  const onTreeKey = useTreeKeys(seen, at, fold, move);
  const { onKeyDown, ...clipboard } = useKeys(at?.card.id);
  const keptFocus = useKeptFocus(seen, at, row => move(row, false));
  const chosen = new Set(picked);
  return (
    // The keys of the canvas hold for the whole view.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div className="ca-Outline" {...clipboard} {...keptFocus} onKeyDown={onKeyDown}>
      <div className="ca-Outline-tools">
        <ViewButtons />
        {!frozen && (
          <div className="ca-Palette" role="toolbar" aria-label={trans.__('Add to the canvas')}>
            <Kinds done={() => undefined} />
          </div>
        )}
        {!frozen && at && at.card.kind !== 'note' && (
          <span className="ca-Outline-connect">
            <button
              type="button"
              className="ca-Secondary"
              aria-expanded={connecting}
              onClick={() => setConnecting(!connecting)}
            >
              <Icon name="connect" />
              {trans.__('Connect to …')}
            </button>
            {connecting && (
              <ConnectMenu definition={definition} from={at.card.id} close={() => setConnecting(false)} />
            )}
          </span>
        )}
        {!frozen && at?.parent && (
          <button
            type="button"
            className="ca-Secondary"
            onClick={() => actions.disconnect(at.parent!.split('>').pop()!, at.card.id)}
          >
            <Icon name="close" />
            {trans.__('Disconnect')}
          </button>
        )}
      </div>
      <div
        ref={tree}
        className="ca-Outline-tree"
        role="tree"
        aria-multiselectable="true"
        aria-label={trans.__('Cards of %1', definition.name)}
        tabIndex={-1}
        onKeyDown={onTreeKey}
      >
        {seen.map(row => (
          <Line
            key={row.key}
            row={row}
            title={titleOf(definition, row.card)}
            open={!folded.has(row.key)}
            chosen={chosen.has(row.card.id)}
            focused={row.key === at?.key}
            onFold={fold}
            onFocus={each => setFocus(each.key)}
          />
        ))}
      </div>
    </div>
  );
}
