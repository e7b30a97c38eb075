/**
 * Two executions side by side: what they used, their steps aligned, the first difference marked.
 */
import { useEffect, useMemo, useRef, useState } from 'react';
import type { KeyboardEvent } from 'react';

import type { Difference, Line, Pair } from '../stores/compare';
import { aligned, differences, linesOf } from '../stores/compare';
import type { Monitor } from '../stores/monitor';
import { toolTitle } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { duration, firstLine, moment, money, tokens } from '../ui/format';
import { Dialog } from '../ui/Dialog';
import { Icon } from '../ui/Icon';
import { statusLabel } from '../ui/labels';
import { StateDot } from '../ui/StateDot';

import { inputLine } from './summary';

function Head({ id, monitor }: { id: string; monitor: Monitor }): JSX.Element {
  const { trans } = useUi();
  const known = useProject(state => state.executions.find(each => each.execution_id === id));
  return (
    <div className="ca-Compare-who">
      <StateDot state={monitor.status} />
      <strong>{known ? moment(known.created_at) : id}</strong>
      <span>{statusLabel(trans, monitor.status)}</span>
      {monitor.version !== null && <span>{trans.__('v%1', monitor.version)}</span>}
    </div>
  );
}

/** How the right one differs, in the unit of the number. */
function Delta(props: { label: string; of: Difference; word: (value: number) => string }): JSX.Element {
  const { label, of, word } = props;
  const both = of.left !== null && of.right !== null;
  const delta = both ? (of.right ?? 0) - (of.left ?? 0) : 0;
  const percent = both && of.left ? Math.round((100 * delta) / of.left) : null;
  const sign = delta > 0 ? '+' : '−';
  return (
    <div className="ca-Compare-fact">
      <dt>{label}</dt>
      <dd>
        <span>{of.left === null ? '–' : word(of.left)}</span>
        <Icon name="right" />
        <span>{of.right === null ? '–' : word(of.right)}</span>
        {both && delta !== 0 && (
          <span className="ca-Compare-delta" data-more={delta > 0 || undefined}>
            {`${sign}${word(Math.abs(delta))}`}
            {percent !== null && ` (${sign}${Math.abs(percent)} %)`}
          </span>
        )}
      </dd>
    </div>
  );
}

function Side({ line, other, open }: { line: Line | null; other: Line | null; open: boolean }): JSX.Element {
  const { trans } = useUi();
  const definition = useProject(state => state.history?.definition ?? null);
  if (!line) {
    return <div className="ca-Compare-side" data-missing />;
  }
  const title =
    line.kind === 'turn'
      ? trans.__('Turn %1', line.title)
      : line.kind === 'thinking'
        ? trans.__('Thinking')
        : line.kind === 'text'
          ? trans.__('Text')
          : line.kind === 'tool'
            ? toolTitle(definition, line.title)
            : line.title;
  return (
    <div className="ca-Compare-side" style={{ paddingLeft: 12 + 14 * Math.min(line.depth, 6) }}>
      <span className="ca-Compare-title">{title}</span>
      {open ? (
        <>
          {line.detail && (
            <pre data-differs={(other && other.detail !== line.detail) || undefined}>{line.detail}</pre>
          )}
          {line.output && (
            <pre data-differs={(other && other.output !== line.output) || undefined}>{line.output}</pre>
          )}
        </>
      ) : (
        <span className="ca-Compare-line">
          {line.kind === 'tool'
            ? inputLine(JSON.parse(line.detail) as Record<string, unknown>)
            : firstLine(line.detail)}
          {line.output && <span className="ca-Compare-output">{firstLine(line.output)}</span>}
        </span>
      )}
    </div>
  );
}

function Pairs({ pairs, first }: { pairs: readonly Pair[]; first: number }): JSX.Element {
  const { trans } = useUi();
  const [open, setOpen] = useState<ReadonlySet<number>>(() => new Set(first >= 0 ? [first] : []));
  const [onlyDifferent, setOnlyDifferent] = useState(false);
  const [focused, setFocused] = useState(Math.max(0, first));
  const list = useRef<HTMLDivElement>(null);
  const shown = useMemo(
    () => pairs.map((pair, index) => ({ pair, index })).filter(({ pair }) => !onlyDifferent || !pair.same),
    [pairs, onlyDifferent]
  );
  const go = (index: number) => {
    setFocused(index);
    const row = list.current?.querySelector<HTMLElement>(`[data-pair="${index}"]`);
    row?.focus({ preventScroll: true });
    row?.scrollIntoView?.({ block: 'nearest' });
  };
  useEffect(() => {
    list.current?.querySelector('[data-first-difference]')?.scrollIntoView?.({ block: 'center' });
  }, [first]);
  const toggle = (index: number) => {
    const next = new Set(open);
    if (!next.delete(index)) {
      next.add(index);
    }
    setOpen(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const at = shown.findIndex(({ index }) => index === focused);
    const to: Record<string, () => void> = {
      ArrowDown: () => shown[at + 1] && go(shown[at + 1].index),
      ArrowUp: () => shown[at - 1] && go(shown[at - 1].index),
      Home: () => shown[0] && go(shown[0].index),
      End: () => shown.length && go(shown[shown.length - 1].index),
      n: () => {
        const next = shown.find(({ pair, index }) => index > focused && !pair.same);
        if (next) {
          go(next.index);
        }
      },
      Enter: () => toggle(focused),
      ' ': () => toggle(focused)
    };
    if (event.key in to && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      to[event.key]();
    }
  };
  const count = pairs.filter(pair => !pair.same).length;
  return (
    <>
      <div className="ca-Compare-bar">
        <span role="status">
          {count === 0
            ? trans.__('Every step is the same.')
            : trans._n('%1 step differs.', '%1 steps differ.', count, count)}
        </span>
        {first >= 0 && (
          <button type="button" className="ca-Link" data-first onClick={() => go(first)}>
            {trans.__('First difference')}
          </button>
        )}
        <label>
          <input
            type="checkbox"
            checked={onlyDifferent}
            onChange={event => setOnlyDifferent(event.target.checked)}
          />
          {trans.__('Only what differs')}
        </label>
      </div>
      <div className="ca-Compare-pairs" ref={list} role="list" aria-label={trans.__('Steps side by side')}>
        {shown.map(({ pair, index }) => (
          // A row that opens: the list's arrows walk, Enter opens.
          <div key={index} role="listitem">
            <div
              className="ca-Compare-pair"
              role="button"
              data-pair={index}
              data-same={pair.same || undefined}
              data-first-difference={index === first || undefined}
              aria-expanded={open.has(index)}
              tabIndex={index === focused ? 0 : -1}
              onKeyDown={onKeyDown}
              onClick={() => {
                setFocused(index);
                toggle(index);
              }}
            >
              {index === first && <span className="ca-Compare-mark">{trans.__('first difference')}</span>}
              <Side line={pair.left} other={pair.right} open={open.has(index)} />
              <Side line={pair.right} other={pair.left} open={open.has(index)} />
            </div>
          </div>
        ))}
      </div>
    </>
  );
}

export function Compare(): JSX.Element | null {
  const { trans } = useUi();
  const { runs } = useActions();
  const comparison = useProject(state => state.runs.comparison);
  const { left, right } = comparison ?? {};
  const found = useMemo(
    () =>
      left?.monitor && right?.monitor
        ? {
            left: left.monitor,
            right: right.monitor,
            ...aligned(linesOf(left.monitor), linesOf(right.monitor)),
            used: differences(left.monitor, right.monitor)
          }
        : null,
    [left, right]
  );
  if (!comparison) {
    return null;
  }
  return (
    <Dialog title={trans.__('Two executions compared')} size="sheet" onClose={() => runs.stopComparing()}>
      <div className="ca-Compare">
        {found ? (
          <>
            <dl className="ca-Compare-facts">
              <Delta label={trans.__('Cost')} of={found.used.cost} word={money} />
              <Delta label={trans.__('Tokens')} of={found.used.tokens} word={tokens} />
              <Delta label={trans.__('Time')} of={found.used.duration} word={duration} />
              <Delta label={trans.__('Turns')} of={found.used.turns} word={String} />
            </dl>
            <div className="ca-Compare-names">
              <Head id={comparison.left.id} monitor={found.left} />
              <Head id={comparison.right.id} monitor={found.right} />
            </div>
            <Pairs pairs={found.pairs} first={found.first} />
          </>
        ) : (
          <p className="ca-Hint" role="status">
            {trans.__('Loading')}
          </p>
        )}
      </div>
    </Dialog>
  );
}
