/**
 * The execution on one line of time: a bar for each agent, model call, tool, subagent and hook.
 *
 * It marks the same step as the tree. Keys: up and down walk, Enter shows the step in the tree, + and −
 * stretch the time, 0 fits it again.
 */
import { memo, useEffect, useId, useMemo, useRef, useState } from 'react';
import type { KeyboardEvent } from 'react';

import type { Bar, Timeline as Bars } from '../stores/bars';
import { marksOf, timelineOf } from '../stores/bars';
import { filteredSteps } from '../stores/kinds';
import { Sections } from '../stores/sections';
import { toolTitle } from '../stores/select';
import { useActions, useProject, useProjectAtLeisure, useUi } from '../ui/context';
import { duration, elapsed, money, tokens } from '../ui/format';
import { useNow } from '../ui/hooks';
import type { Translation } from '../ui/labels';
import { useWindow, VirtualRows } from '../ui/Virtual';

import { FilterBar } from './FilterBar';

const ROW_PX = 22;
/** Marks are less than a second apart where that is all there is. */
function axisLabel(mark: number): string {
  if (mark > 0 && mark < 1_000) {
    return `${mark} ms`;
  }
  return mark % 1_000 ? duration(mark) : elapsed(mark);
}

/** About so many marks on the axis of an unstretched timeline. */
const MARKS = 5;
const MOST_ZOOM = 64;

function kindWord(trans: Translation, kind: Bar['kind']): string {
  switch (kind) {
    case 'agent':
      return trans.__('agent');
    case 'model':
      return trans.__('model call');
    case 'tool':
      return trans.__('tool');
    case 'mcp':
      return trans.__('MCP tool');
    case 'subagent':
      return trans.__('subagent');
    case 'hook':
      return trans.__('hook');
  }
}

interface RowProps {
  bar: Bar;
  id: string;
  index: number;
  count: number;
  name: string;
  /** Where it begins and ends, as shares of the whole. */
  from: number;
  to: number;
  /** Where what was made ready for it begins, and how long that took. */
  ready?: number;
  preparing: string;
  length: string;
  facts: string;
  selected: boolean;
  kind: string;
}

const BarRow = memo(function BarRow(props: RowProps): JSX.Element {
  const { bar, id, index, count, name, from, to, ready, preparing, length, facts, selected, kind } = props;
  const wide = to - from > 0.18;
  const late = to > 0.78;
  const place = wide
    ? { left: `${100 * from}%`, paddingLeft: 6 }
    : late
      ? { right: `${100 * (1 - from)}%`, paddingRight: 6 }
      : { left: `${100 * to}%`, paddingLeft: 6 };
  return (
    // The list handles the keys of all its rows.

    <div
      id={id}
      className="ca-Bar"
      role="option"
      tabIndex={-1}
      aria-selected={selected}
      aria-setsize={count}
      aria-posinset={index + 1}
      aria-label={[name, kind, length, facts, preparing].filter(Boolean).join(', ')}
      title={[`${name} · ${kind}`, length, facts, preparing].filter(Boolean).join('\n')}
      data-index={index}
      data-kind={bar.kind}
      data-state={bar.state}
    >
      <span className="ca-Bar-name" style={{ paddingLeft: 12 + 12 * Math.min(bar.depth, 6) }}>
        <span className="ca-Clip">{name}</span>
        {bar.costUsd !== null && bar.costUsd > 0 && <span className="ca-Bar-cost">{money(bar.costUsd)}</span>}
      </span>
      <span className="ca-Bar-track">
        {ready !== undefined && (
          <span
            className="ca-Bar-ready"
            style={{ left: `${100 * ready}%`, width: `${100 * Math.max(0, from - ready)}%` }}
          />
        )}
        <span
          className="ca-Bar-span"
          style={{ left: `${100 * from}%`, width: `${100 * Math.max(0, to - from)}%` }}
        />
        <span className="ca-Bar-time" data-inside={wide || undefined} style={place}>
          {length}
        </span>
      </span>
    </div>
  );
});

function useBars(): { timeline: Bars; bars: readonly Bar[]; now: number } | null {
  const monitor = useProjectAtLeisure('timeline', state => state.monitor);
  const filter = useProject(state => state.runs.filter);
  const skew = useProjectAtLeisure('timeline', state => state.skewMs);
  const going = monitor !== null && monitor.startedAt !== null && monitor.endedAt === null;
  const now = useNow(going, 'timeline') - skew;
  const [sections] = useState(() => new Sections<Bar>());
  const timeline = useMemo(() => (monitor ? timelineOf(monitor, sections) : null), [monitor, sections]);
  const bars = useMemo(() => {
    const only = monitor && filteredSteps(monitor, filter);
    return timeline && only ? timeline.bars.filter(bar => only.has(bar.id)) : (timeline?.bars ?? []);
  }, [timeline, monitor, filter]);
  return timeline && { timeline, bars, now: going ? Math.max(now, timeline.end) : timeline.end };
}

export function Timeline({ beside = false }: { beside?: boolean }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const base = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const definition = useProject(state => state.history?.definition ?? null);
  const selected = useProject(state => state.runs.step);
  const projectName = useProject(state => state.saved?.name ?? '');
  const [zoom, setZoom] = useState(1);
  const shown = useBars();
  const bars = shown?.bars ?? [];
  const { first, last } = useWindow(scroller, bars.length, ROW_PX, {
    present: Boolean(shown?.timeline.bars.length)
  });
  const at = bars.findIndex(bar => bar.id === selected);

  // What somebody has marked in the tree comes into view here.
  useEffect(() => {
    const node = scroller.current;
    if (node && at >= 0) {
      const top = at * ROW_PX;
      if (top < node.scrollTop) {
        node.scrollTop = top;
      } else if (top + 2 * ROW_PX > node.scrollTop + node.clientHeight) {
        node.scrollTop = top + 2 * ROW_PX - node.clientHeight;
      }
    }
  }, [at]);

  if (!shown || !shown.timeline.bars.length) {
    return <div className="ca-Hint">{trans.__('Bars appear as soon as the first step begins.')}</div>;
  }
  const { timeline, now } = shown;
  const length = Math.max(1, now - timeline.start);
  const nameOf = (bar: Bar): string =>
    bar.kind === 'model'
      ? trans.__('model')
      : bar.kind === 'tool' || bar.kind === 'mcp'
        ? toolTitle(definition, bar.name)
        : bar.kind === 'agent' && bar.name === 'main'
          ? projectName
          : bar.kind === 'hook'
            ? (definition?.hooks.find(hook => hook.id === bar.name)?.name ?? bar.name)
            : toolTitle(definition, bar.name);
  const choose = (index: number) => {
    const bar = bars[Math.max(0, Math.min(bars.length - 1, index))];
    if (bar) {
      actions.runs.reveal(bar.id);
    }
  };
  const stretch = (factor: number) => setZoom(value => Math.max(1, Math.min(MOST_ZOOM, value * factor)));
  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_PX) - 1);
    const keys: Record<string, () => void> = {
      ArrowDown: () => choose(at + 1),
      ArrowUp: () => choose(at < 0 ? 0 : at - 1),
      PageDown: () => choose(at + page),
      PageUp: () => choose(at - page),
      Home: () => choose(0),
      End: () => choose(bars.length - 1),
      Enter: () => at >= 0 && actions.showTab('steps'),
      '+': () => stretch(2),
      '=': () => stretch(2),
      '-': () => stretch(0.5),
      '0': () => setZoom(1)
    };
    if (event.key in keys && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      keys[event.key]();
    }
  };
  const marks = marksOf(length, MARKS * zoom);
  return (
    <div className="ca-Timeline" data-beside={beside || undefined}>
      {!beside && <FilterBar found={trans._n('%1 bar', '%1 bars', bars.length, bars.length)} />}
      <div className="ca-Timeline-scroll" ref={scroller}>
        <div className="ca-Timeline-content" style={{ width: `${100 * zoom}%` }}>
          <div className="ca-Timeline-axis" aria-hidden="true">
            <span className="ca-Bar-name">
              <span className="ca-Timeline-zoom">
                <button type="button" tabIndex={-1} disabled={zoom <= 1} onClick={() => stretch(0.5)}>
                  −
                </button>
                <button type="button" tabIndex={-1} disabled={zoom >= MOST_ZOOM} onClick={() => stretch(2)}>
                  +
                </button>
              </span>
            </span>
            <span className="ca-Bar-track">
              {marks.map(mark => (
                <span key={mark} className="ca-Timeline-mark" style={{ left: `${(100 * mark) / length}%` }}>
                  {mark < length * 0.94 && axisLabel(mark)}
                </span>
              ))}
            </span>
          </div>
          <div
            className="ca-Timeline-rows"
            role="listbox"
            aria-label={trans.__('Timeline of the execution')}
            aria-activedescendant={at >= 0 ? `${base}-${at}` : undefined}
            tabIndex={0}
            onKeyDown={onKeyDown}
            onClick={event => {
              const row = (event.target as HTMLElement).closest<HTMLElement>('[data-index]');
              if (row) {
                choose(Number(row.dataset.index));
              }
            }}
          >
            <div className="ca-Timeline-lines" aria-hidden="true">
              <span className="ca-Bar-name" />
              <span className="ca-Bar-track">
                {marks.map(mark => (
                  <span
                    key={mark}
                    className="ca-Timeline-line"
                    style={{ left: `${(100 * mark) / length}%` }}
                  />
                ))}
              </span>
            </div>
            <VirtualRows
              first={first}
              last={last}
              count={bars.length}
              rowHeight={ROW_PX}
              render={index => {
                const bar = bars[index];
                const end = bar.end ?? now;
                const ms = end - bar.start;
                return (
                  <BarRow
                    key={bar.id}
                    id={`${base}-${index}`}
                    bar={bar}
                    index={index}
                    count={bars.length}
                    name={nameOf(bar)}
                    kind={kindWord(trans, bar.kind)}
                    from={Math.max(0, (bar.start - timeline.start) / length)}
                    to={Math.min(1, (end - timeline.start) / length)}
                    ready={bar.ready === undefined ? undefined : (bar.ready - timeline.start) / length}
                    preparing={
                      bar.ready === undefined
                        ? ''
                        : trans.__('made ready in %1', duration(bar.start - bar.ready))
                    }
                    length={bar.end === null ? elapsed(ms) : ms < 100 ? `${Math.round(ms)} ms` : duration(ms)}
                    facts={[
                      bar.tokens ? trans.__('%1 tok', tokens(bar.tokens)) : '',
                      bar.costUsd ? money(bar.costUsd) : ''
                    ]
                      .filter(Boolean)
                      .join(' · ')}
                    selected={index === at}
                  />
                );
              }}
            />
          </div>
        </div>
      </div>
    </div>
  );
}
