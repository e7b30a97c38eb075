/**
 * Which execution canvas and monitor show: a list of this project's, old ones too, each with what it cost.
 */
import { useEffect, useRef, useState } from 'react';
import type { KeyboardEvent } from 'react';
import { createPortal } from 'react-dom';

import type { ExecutionState } from '../api/types';
import { hasEnded } from '../api/types';
import { useActions, useProject, useUi } from '../ui/context';
import { duration, moment, money } from '../ui/format';
import { Icon } from '../ui/Icon';
import { originLabel, statusLabel } from '../ui/labels';
import { StateDot } from '../ui/StateDot';

/** Distance from the edges of the window, in CSS pixels. */
const EDGE = 8;

function Row({ state, onClose }: { state: ExecutionState; onClose: () => void }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const shown = useProject(each => each.executionId === state.execution_id);
  const facts = [
    trans.__('v%1', state.version),
    originLabel(trans, state.origin),
    ...(state.pinned ? [trans.__('pinned')] : []),
    ...(state.expired ? [trans.__('expired: its log is gone')] : []),
    ...(state.simulated ? [trans.__('simulated')] : []),
    ...(hasEnded(state.status) ? [duration(state.duration_ms ?? 0)] : []),
    ...(state.status === 'queued' && state.position ? [trans.__('place %1', state.position)] : [])
  ];
  return (
    <li className="ca-PickerRow" data-shown={shown || undefined}>
      <button
        type="button"
        className="ca-PickerRow-main"
        aria-current={shown || undefined}
        disabled={state.expired}
        title={state.execution_id}
        onClick={() => {
          void actions.look(state.execution_id);
          onClose();
        }}
      >
        <StateDot state={state.status} />
        <span className="ca-PickerRow-when">{moment(state.created_at)}</span>
        <span>{statusLabel(trans, state.status)}</span>
        <span className="ca-PickerRow-facts">{facts.join(' · ')}</span>
        <span className="ca-PickerRow-cost">{money(state.total_cost_usd)}</span>
      </button>
      {state.status === 'queued' && (
        <button
          type="button"
          className="ca-Button"
          disabled={state.cancelling}
          aria-label={trans.__('Cancel that of %1', moment(state.created_at))}
          title={trans.__('Cancel: it leaves the queue')}
          onClick={() => void actions.stop(state.execution_id)}
        >
          <Icon name="close" />
        </button>
      )}
      <button
        type="button"
        className="ca-Button"
        disabled={shown || state.expired}
        aria-label={trans.__('Compare with that of %1', moment(state.created_at))}
        title={trans.__('Compare with the one that is shown')}
        onClick={() => {
          void actions.runs.compare(state.execution_id);
          onClose();
        }}
      >
        <Icon name="compare" />
      </button>
    </li>
  );
}

function List({ anchor, onClose }: { anchor: HTMLElement; onClose: () => void }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const executions = useProject(state => state.executions);
  const older = useProject(state => state.runs.older);
  const node = useRef<HTMLDivElement>(null);
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const box = node.current;
    if (!box) {
      return;
    }
    const at = anchor.getBoundingClientRect();
    // Beside the tab lies what is somebody else's.
    const tab = anchor.closest('.ca-Panel')?.getBoundingClientRect();
    const most = (tab?.right ?? window.innerWidth) - EDGE;
    const least = (tab?.left ?? 0) + EDGE;
    box.style.maxWidth = `${most - least}px`;
    const left = Math.max(least, Math.min(at.right, most) - box.offsetWidth);
    const above = at.top - 4 - box.offsetHeight;
    box.style.left = `${left}px`;
    box.style.top = `${above >= EDGE ? above : Math.min(at.bottom + 4, window.innerHeight - box.offsetHeight - EDGE)}px`;
    const current = box.querySelector<HTMLElement>('[aria-current]') ?? box.querySelector('button');
    (current as HTMLElement | null)?.focus({ preventScroll: true });
    current?.scrollIntoView?.({ block: 'nearest' });
    const outside = (event: Event) => {
      if (!box.contains(event.target as Node) && !anchor.contains(event.target as Node)) {
        close.current();
      }
    };
    document.addEventListener('pointerdown', outside, true);
    return () => document.removeEventListener('pointerdown', outside, true);
  }, [anchor]);
  const onKeyDown = (event: KeyboardEvent) => {
    const all = [...(node.current?.querySelectorAll<HTMLElement>('.ca-PickerRow-main') ?? [])];
    const at = all.findIndex(each => each.parentElement?.contains(document.activeElement));
    const to: Record<string, number> = {
      ArrowDown: Math.min(all.length - 1, at + 1),
      ArrowUp: Math.max(0, at - 1),
      Home: 0,
      End: all.length - 1
    };
    if (event.key in to) {
      event.preventDefault();
      all[to[event.key]]?.focus();
    } else if (event.key === 'Escape') {
      event.stopPropagation();
      onClose();
      anchor.focus();
    }
  };
  return (
    // Keys of a list: arrows walk, Escape closes.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      ref={node}
      className="ca-PickerList jp-ThemedContainer"
      role="dialog"
      aria-label={trans.__('Executions of this project')}
      tabIndex={-1}
      onKeyDown={onKeyDown}
    >
      <ul>
        {executions.map(each => (
          <Row key={each.execution_id} state={each} onClose={onClose} />
        ))}
      </ul>
      {older && (
        <button type="button" className="ca-Link" onClick={() => void actions.runs.loadOlder()}>
          {trans.__('Older executions')}
        </button>
      )}
    </div>
  );
}

export function Picker(): JSX.Element | null {
  const { trans } = useUi();
  const executions = useProject(state => state.executions);
  const shown = useProject(state => state.executionId);
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  if (!shown || executions.length < 2) {
    return null;
  }
  const at = executions.findIndex(each => each.execution_id === shown);
  const state = at < 0 ? null : executions[at];
  const running = executions.filter(each => !hasEnded(each.status)).length;
  const words = state ? moment(state.created_at) : trans.__('new');
  return (
    <>
      <button
        ref={button}
        type="button"
        className="ca-Button ca-Picker"
        aria-haspopup="dialog"
        aria-expanded={open}
        title={trans.__('Choose the execution that canvas and monitor show')}
        aria-label={trans.__('Execution shown: %1', words)}
        onClick={() => setOpen(!open)}
      >
        <Icon name="log" />
        <span className="ca-Picker-when">{words}</span>
        {running > 1 && <span className="ca-Picker-count">{trans.__('%1 go on', running)}</span>}
        <Icon name="down" />
      </button>
      {open &&
        button.current &&
        createPortal(<List anchor={button.current} onClose={() => setOpen(false)} />, document.body)}
    </>
  );
}
