/**
 * The tree of steps that grows while an execution goes on, with its outcome at the end.
 *
 * Follow mode keeps the newest row in view; scrolling up ends it, the button brings it back.
 */
import { useEffect, useMemo, useRef, useState } from 'react';
import type { KeyboardEvent } from 'react';
import { flushSync } from 'react-dom';

import { hasEnded } from '../api/types';
import { filteredSteps, isFiltering } from '../stores/kinds';
import { modelWaits } from '../stores/moments';
import type { Row } from '../stores/rows';
import { rowIndex, rowsOf } from '../stores/rows';
import { Sections } from '../stores/sections';
import { useActions, useProject, useProjectAtLeisure, useUi } from '../ui/context';
import { elapsed } from '../ui/format';
import { useNow } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { advice, endLabel } from '../ui/labels';
import { StateDot } from '../ui/StateDot';

import { FilterBar } from './FilterBar';
import { Rows } from './Rows';
import { hasOutcome } from './StepRow';
import { useCopyStep } from './StepTools';

/** Distance from the end, in CSS pixels, that still counts as being at the end. */
const NEAR_END = 24;

function Outcome(): JSX.Element | null {
  const { trans, RenderOutput } = useUi();
  const actions = useActions();
  const monitor = useProject(state => (state.monitor && hasOutcome(state.monitor) ? state.monitor : null));
  if (!monitor) {
    return null;
  }
  const { error, result, simulated } = monitor;
  const help = error && advice(trans, error.code);
  return (
    <section className="ca-Outcome" data-state={monitor.status} aria-label={trans.__('Result')}>
      {error && (
        <div className="ca-Outcome-error" role="alert">
          <Icon name="error" />
          <div>
            <strong>{endLabel(trans, error.code)}</strong> {error.message} {help}
          </div>
        </div>
      )}
      {result && (
        <>
          <h3 className="ca-Outcome-title">
            <Icon name="result" />
            {error ? trans.__('What there was by then') : trans.__('Result')}
          </h3>
          <RenderOutput
            data={{ 'text/markdown': result }}
            executionId={monitor.executionId}
            onFile={path => actions.showTab('files', path)}
          />
        </>
      )}
      {simulated && (
        <p className="ca-Outcome-note">
          {trans.__(
            'Simulated model: no account used, nothing charged. The steps were scripted; the tools really ran.'
          )}
        </p>
      )}
    </section>
  );
}

/** While there are no steps: what is waited for, in one line. */
function Calm(): JSX.Element | null {
  const { trans } = useUi();
  const monitor = useProject(state => state.monitor);
  const known = useProject(state => state.executions.find(each => each.execution_id === state.executionId));
  if (!monitor || hasOutcome(monitor)) {
    return null;
  }
  const ended = known && hasEnded(known.status);
  const words =
    monitor.status === 'cancelled'
      ? trans.__('Stopped before its first step.')
      : hasEnded(monitor.status)
        ? trans.__('It ended before its first step.')
        : monitor.status === 'interrupted'
          ? trans.__('Interrupted before its first step. Run again to start afresh.')
          : monitor.lastEventId === 0 && ended
            ? trans.__('Loading its steps…')
            : monitor.status === 'queued' && monitor.position
              ? trans.__('Waiting in the queue, place %1', monitor.position)
              : trans.__('Starting…');
  return (
    <p className="ca-Calm" role="status">
      <StateDot state={monitor.status} />
      {words}
    </p>
  );
}

/** Agents that wait for their model, and how long. */
function Waits(): JSX.Element | null {
  const { trans } = useUi();
  const monitor = useProjectAtLeisure('rows', state => state.monitor);
  const skew = useProject(state => state.skewMs);
  const waits = monitor && monitor.roots.length ? modelWaits(monitor) : [];
  const now = useNow(waits.length > 0, 'rows') - skew;
  const long = waits.filter(wait => now - wait.since >= 1_000);
  return long.length ? (
    <div className="ca-Waits">
      {long.map(wait => (
        <p key={wait.name} className="ca-Calm">
          <StateDot state="running" />
          {wait.name === 'main'
            ? trans.__('waiting %1 for the model', elapsed(now - wait.since))
            : trans.__('%1: waiting %2 for the model', wait.name, elapsed(now - wait.since))}
        </p>
      ))}
    </div>
  ) : null;
}

export function Tree(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const monitor = useProject(state => state.monitor);
  const toggled = useProject(state => state.toggled);
  const following = useProject(state => state.following);
  const filter = useProject(state => state.runs.filter);
  const selected = useProject(state => state.runs.step);
  const only = useMemo(() => monitor && filteredSteps(monitor, filter), [monitor, filter]);
  const [sections] = useState(() => new Sections<Row>());
  const rows = useMemo(
    () => (monitor ? rowsOf(monitor, toggled, only, sections) : []),
    [monitor, toggled, only, sections]
  );
  const focused = Math.max(0, rowIndex(rows, selected));
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const bottom = useRef(0);

  // Rows that come, pictures and rendered text that grow: each makes the content higher. It is noticed once a
  // frame, after layout and before paint, and asks for no layout of its own.
  useEffect(() => {
    const node = scroller.current;
    if (!node || !content.current || !following) {
      return;
    }
    const toEnd = () => {
      node.scrollTop = node.scrollHeight;
      bottom.current = node.scrollTop;
    };
    toEnd();
    const observer = new ResizeObserver(toEnd);
    [node, content.current].forEach(each => observer.observe(each));
    return () => observer.disconnect();
  }, [following]);

  const reviewed = useProject(state => state.reviewed);
  useEffect(() => {
    const ask = reviewed ? scroller.current?.querySelector<HTMLElement>('.ca-Ask') : null;
    ask?.scrollIntoView?.({ block: 'nearest' });
    ask?.querySelector<HTMLElement>('button')?.focus({ preventScroll: true });
  }, [reviewed]);

  const onScroll = () => {
    const node = scroller.current;
    if (node) {
      const up = node.scrollTop < bottom.current - 2;
      bottom.current = node.scrollTop;
      const atEnd = node.scrollHeight - node.clientHeight - node.scrollTop < NEAR_END;
      if (atEnd) {
        actions.follow(true);
      } else if (up) {
        actions.follow(false);
      }
    }
  };

  const focus = (index: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, index));
    // The row may lie in a part of the tree that is only drawn now.
    flushSync(() => actions.runs.select(rows[next]?.step.id ?? null));
    const row = scroller.current?.querySelector<HTMLElement>(`[data-index="${next}"]`);
    row?.focus({ preventScroll: true });
    row?.scrollIntoView?.({ block: 'nearest' });
  };
  // What is marked elsewhere, in the timeline say, comes into view here.
  useEffect(() => {
    const at = rowIndex(rows, selected);
    const row = at < 0 ? null : scroller.current?.querySelector<HTMLElement>(`[data-index="${at}"]`);
    if (row && !row.contains(document.activeElement)) {
      row.scrollIntoView?.({ block: 'nearest' });
    }
    // Only a new mark moves the tree, not rows that come in.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [selected]);

  const copyStep = useCopyStep();
  const onKeyDown = (event: KeyboardEvent) => {
    const at = (event.target as HTMLElement).closest<HTMLElement>('[role=treeitem]')?.dataset.index;
    const row = at === undefined ? undefined : rows[Number(at)];
    if (!row || (event.target as HTMLElement).getAttribute('role') !== 'treeitem') {
      return;
    }
    const index = Number(at);
    const parent = () =>
      rows
        .slice(0, index)
        .map((each, i) => ({ each, i }))
        .reverse()
        .find(({ each }) => each.depth < row.depth)?.i;
    const moves: Record<string, () => void> = {
      ArrowDown: () => focus(index + 1),
      ArrowUp: () => focus(index - 1),
      Home: () => focus(0),
      End: () => focus(rows.length - 1),
      ArrowRight: () => (row.expandable && !row.open ? actions.toggleStep(row.step.id) : focus(index + 1)),
      ArrowLeft: () =>
        row.expandable && row.open ? actions.toggleStep(row.step.id) : focus(parent() ?? index),
      Enter: () => row.expandable && actions.toggleStep(row.step.id),
      c: () => void copyStep(row.step),
      f: () => actions.runs.askFork(row.step.id)
    };
    const control = event.ctrlKey || event.metaKey;
    if (event.key in moves && !event.altKey && (!control || event.key === 'c')) {
      event.preventDefault();
      actions.follow(false);
      moves[event.key]();
    }
  };

  return (
    <div className="ca-Tree">
      <FilterBar found={trans._n('%1 row', '%1 rows', rows.length, rows.length)} />
      <div className="ca-Tree-scroll" ref={scroller} onScroll={onScroll}>
        <div className="ca-Tree-content" role="presentation" ref={content}>
          <div
            role="tree"
            tabIndex={-1}
            aria-label={trans.__('Steps of the execution')}
            onKeyDown={onKeyDown}
          >
            <Rows
              rows={rows}
              focused={Math.min(focused, rows.length - 1)}
              marked={rowIndex(rows, selected)}
              scroller={scroller}
            />
          </div>
          {rows.length === 0 &&
            (isFiltering(filter) ? (
              <p className="ca-Hint">{trans.__('Nothing fits the filter.')}</p>
            ) : (
              <Calm />
            ))}
          <Waits />
          <Outcome />
        </div>
      </div>
      {!following && (
        <button type="button" className="ca-Follow" onClick={() => actions.follow(true)}>
          <Icon name="down" />
          {trans.__('Follow')}
        </button>
      )}
    </div>
  );
}
