/**
 * The log as it is: every event one line, the chosen one in full beside it.
 *
 * Keys: up and down walk, C (or Ctrl+C) copies the chosen event as JSON.
 */
import { memo, useEffect, useId, useMemo, useRef, useState } from 'react';
import type { KeyboardEvent } from 'react';

import type { ExecutionEvent } from '../api/types';
import { filteredOn, isFiltering, kindOfEvent } from '../stores/kinds';
import type { Filtered } from '../stores/kinds';
import { isActive } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { CopyButton } from '../ui/CopyButton';
import { copyText } from '../ui/copy';
import { firstLine, money, plain } from '../ui/format';
import { Icon } from '../ui/Icon';
import { eventLabel } from '../ui/labels';
import { useFollowing, useWindow, VirtualRows } from '../ui/Virtual';

import { FilterBar } from './FilterBar';
import { inputLine, outputLine } from './summary';

const ROW_PX = 24;

/** What an event says, as one line. */
export function eventLine(event: ExecutionEvent): string {
  switch (event.type) {
    case 'thinking':
    case 'text':
      return firstLine(event.content);
    case 'tool_call':
    case 'approval_required':
      return `${event.tool} ${inputLine(event.input)}`.trim();
    case 'tool_result':
      return `${event.tool} ${outputLine(event.output)}`.trim();
    case 'approval':
      return [event.decision, event.by, event.message].filter(Boolean).join(' · ');
    case 'agent_start':
      return `${event.name} ${firstLine(event.prompt)}`.trim();
    case 'agent_complete':
      return firstLine(event.result);
    case 'hook':
      return [event.hook, event.outcome, event.message].filter(Boolean).join(' · ');
    case 'cost_update':
      return money(event.total_cost_usd);
    case 'warning':
      return [event.code, event.message].join(' · ');
    case 'error':
      return [event.code, event.message].join(' · ');
    case 'complete':
      return firstLine(event.result.text);
    case 'cancelled':
      return event.by;
    case 'interrupted':
      return event.why;
    case 'start':
      return event.model;
    default:
      return '';
  }
}

/** Seconds since the log began, with the tenth. */
function offset(event: ExecutionEvent, start: number): string {
  return `+${Math.max(0, (Date.parse(event.ts) - start) / 1_000).toFixed(1)} s`;
}

const EventRow = memo(function EventRow(props: {
  id: string;
  event: ExecutionEvent;
  index: number;
  /** How many there are, -1 while that is not known. */
  size: number;
  start: number;
  selected: boolean;
  label: string;
}): JSX.Element {
  const { id, event, index, size, start, selected, label } = props;
  return (
    <div
      id={id}
      className="ca-Event"
      role="option"
      tabIndex={-1}
      aria-selected={selected}
      aria-setsize={size}
      aria-posinset={index + 1}
      data-index={index}
      data-event={event.id}
      data-kind={kindOfEvent(event)}
      data-failed={(event.type === 'tool_result' && event.is_error) || event.type === 'error' || undefined}
    >
      <span className="ca-Event-id">{event.id}</span>
      <span className="ca-Event-time">{offset(event, start)}</span>
      <span className="ca-Event-type">{label}</span>
      <span className="ca-Event-line">
        {event.agent !== 'main' && <span className="ca-Event-agent">{event.agent}</span>}
        {plain(eventLine(event))}
      </span>
    </div>
  );
});

function Detail({ event, onClose }: { event: ExecutionEvent; onClose: () => void }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const text = useMemo(() => JSON.stringify(event, null, 2), [event]);
  const step = useProject(state => {
    const own = `${event.type}:${event.id}`;
    const steps = state.monitor?.steps;
    return steps?.has(own) ? own : steps?.has(event.span) ? event.span : null;
  });
  return (
    <section className="ca-Events-detail" aria-label={trans.__('Event %1', event.id)}>
      <header>
        <strong>{trans.__('Event %1', event.id)}</strong>
        <CopyButton label={trans.__('Copy as JSON')} text={() => text} />
        {step && (
          <button
            type="button"
            className="ca-Button"
            onClick={() => {
              actions.showTab('steps');
              actions.runs.reveal(step);
            }}
          >
            {trans.__('Show its step')}
          </button>
        )}
        <button
          type="button"
          className="ca-Button ca-Events-close"
          aria-label={trans.__('Close the event')}
          title={trans.__('Close the event')}
          onClick={onClose}
        >
          <Icon name="close" />
        </button>
      </header>
      {/* A region that scrolls is reached by keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0}>{text}</pre>
    </section>
  );
}

export function Events(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const base = useId();
  const events = useProject(state => state.runs.events);
  const filter = useProject(state => state.runs.filter);
  const following = useProject(state => state.following);
  const [chosen, setChosen] = useState<number | null>(null);
  const [said, setSaid] = useState('');
  const scroller = useRef<HTMLDivElement>(null);
  const before = useRef<Filtered | null>(null);
  const shown = useMemo(() => {
    before.current = filteredOn(before.current, events, filter);
    return before.current.shown;
  }, [events, filter]);
  // A row is not drawn again because another came: how many there will be is not known while it runs.
  const growing = useProject(isActive);
  const size = growing ? -1 : shown.length;
  const { first, last } = useWindow(scroller, shown.length, ROW_PX, { following });
  const onScroll = useFollowing(scroller, shown, following, value => actions.follow(value));
  const at = useMemo(
    () => (chosen === null ? -1 : shown.findIndex(event => event.id === chosen)),
    [shown, chosen]
  );
  const begin = events.at(0);
  const start = begin ? Date.parse(begin.ts) : 0;
  const event = at >= 0 ? (shown.at(at) ?? null) : null;

  useEffect(() => {
    const node = scroller.current;
    if (node && at >= 0 && !following) {
      const top = at * ROW_PX;
      if (top < node.scrollTop) {
        node.scrollTop = top;
      } else if (top + ROW_PX > node.scrollTop + node.clientHeight) {
        node.scrollTop = top + ROW_PX - node.clientHeight;
      }
    }
  }, [at, following]);

  const choose = (index: number) => {
    const next = shown.at(Math.max(0, Math.min(shown.length - 1, index)));
    if (next) {
      actions.follow(false);
      setChosen(next.id);
    }
  };
  const copy = async () => {
    if (event) {
      const done = await copyText(JSON.stringify(event, null, 2));
      setSaid(
        done
          ? trans.__('Event %1 is copied.', event.id)
          : trans.__('The browser does not allow it: select the text and press Ctrl+C.')
      );
    }
  };
  const onKeyDown = (key: KeyboardEvent) => {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_PX) - 1);
    const keys: Record<string, () => void> = {
      ArrowDown: () => choose(at + 1),
      ArrowUp: () => choose(at < 0 ? shown.length - 1 : at - 1),
      PageDown: () => choose(at + page),
      PageUp: () => choose(at - page),
      Home: () => choose(0),
      End: () => choose(shown.length - 1),
      Escape: () => setChosen(null),
      c: () => void copy()
    };
    const control = key.ctrlKey || key.metaKey;
    if (key.key in keys && !key.altKey && (!control || key.key === 'c')) {
      key.preventDefault();
      keys[key.key]();
    }
  };
  return (
    <div className="ca-Events" data-detail={event ? true : undefined}>
      <FilterBar found={trans._n('%1 event', '%1 events', shown.length, shown.length)} />
      <div className="ca-Events-body">
        <div className="ca-Events-list">
          <div className="ca-Events-scroll" ref={scroller} onScroll={onScroll}>
            <div
              role="listbox"
              aria-label={trans.__('Events of the execution')}
              aria-activedescendant={event ? `${base}-${event.id}` : undefined}
              tabIndex={0}
              onKeyDown={onKeyDown}
              onClick={click => {
                const row = (click.target as HTMLElement).closest<HTMLElement>('[data-index]');
                if (row) {
                  choose(Number(row.dataset.index));
                }
              }}
            >
              <VirtualRows
                first={first}
                last={last}
                count={shown.length}
                rowHeight={ROW_PX}
                render={index => {
                  const each = shown.at(index);
                  return (
                    each && (
                      <EventRow
                        key={each.id}
                        id={`${base}-${each.id}`}
                        event={each}
                        index={index}
                        size={size}
                        start={start}
                        selected={index === at}
                        label={eventLabel(trans, each.type)}
                      />
                    )
                  );
                }}
              />
            </div>
            {!shown.length && (
              <p className="ca-Hint">
                {isFiltering(filter)
                  ? trans.__('Nothing fits the filter.')
                  : trans.__('Events appear here as they happen.')}
              </p>
            )}
          </div>
          {!following && (
            <button type="button" className="ca-Follow" onClick={() => actions.follow(true)}>
              <Icon name="down" />
              {trans.__('Follow')}
            </button>
          )}
        </div>
        {event && <Detail event={event} onClose={() => setChosen(null)} />}
      </div>
      <span className="ca-Hidden" role="status">
        {said}
      </span>
    </div>
  );
}
