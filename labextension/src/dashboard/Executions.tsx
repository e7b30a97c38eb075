/**
 * The executions of the window as a table: filtered by status, opened with a click, pinned to stay.
 */
import type { ExecutionState, Status } from '../api/types';
import { duration, elapsed, money, shortModel, tokens } from '../ui/format';
import { useNow } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { endLabel, statusLabel } from '../ui/labels';
import type { Translation } from '../ui/labels';
import { StateDot } from '../ui/StateDot';

const STATUSES: readonly Status[] = [
  'completed',
  'failed',
  'cancelled',
  'running',
  'queued',
  'waiting',
  'interrupted'
];

export interface ExecutionsProps {
  trans: Translation;
  rows: readonly ExecutionState[];
  more: boolean;
  status: Status | null;
  onStatus: (status: Status | null) => void;
  onMore: () => void;
  onOpen: (projectId: string, executionId: string) => void;
  onPin: (executionId: string, pinned: boolean) => void;
}

/** When it was created: the time today, else the date and the time. */
function when(moment: string, now: number): string {
  const date = new Date(moment);
  const time = date.toLocaleTimeString(undefined, { hour: 'numeric', minute: '2-digit' });
  return date.toDateString() === new Date(now).toDateString()
    ? time
    : `${date.toLocaleDateString(undefined, { day: 'numeric', month: 'short' })}, ${time}`;
}

function timeOf(state: ExecutionState, now: number): string {
  if (state.status === 'running' && state.started_at) {
    return elapsed(now - Date.parse(state.started_at));
  }
  return state.duration_ms ? duration(state.duration_ms) : '–';
}

function Row({
  trans,
  state,
  now,
  onOpen,
  onPin
}: { state: ExecutionState; now: number } & Pick<
  ExecutionsProps,
  'trans' | 'onOpen' | 'onPin'
>): JSX.Element {
  const { usage } = state;
  const read =
    (usage?.input_tokens ?? 0) +
    (usage?.cache_creation_input_tokens ?? 0) +
    (usage?.cache_read_input_tokens ?? 0);
  const open = state.expired ? undefined : () => onOpen(state.project_id, state.execution_id);
  const said =
    state.status === 'failed' && state.error
      ? endLabel(trans, state.error.code)
      : statusLabel(trans, state.status);
  const free = state.simulated || Boolean(state.replay);
  return (
    // The whole row is a larger place to click; the button in it is what the keyboard reaches.

    <tr data-expired={state.expired || undefined} onClick={open}>
      <td>
        <span className="ca-Executions-status" title={state.error?.message}>
          <StateDot state={state.status} />
          {said}
        </span>
      </td>
      <th scope="row">
        <button
          type="button"
          className="ca-Executions-open"
          disabled={!open}
          title={
            open
              ? trans.__('Open this execution')
              : trans.__('Expired: its events and files are gone, these figures stay')
          }
          onClick={event => {
            event.stopPropagation();
            open?.();
          }}
        >
          <span className="ca-Clip">{state.project_name}</span>
        </button>
        {free && <small>{state.replay ? trans.__('replayed') : trans.__('simulated')}</small>}
        {state.expired && <small>{trans.__('expired')}</small>}
      </th>
      <td>
        <time dateTime={state.created_at}>{when(state.created_at, now)}</time>
      </td>
      <td>{timeOf(state, now)}</td>
      <td title={trans.__('%1 in, %2 out', tokens(read), tokens(usage?.output_tokens ?? 0))}>
        {tokens(read + (usage?.output_tokens ?? 0))}
      </td>
      <td>{free ? trans.__('free') : money(state.total_cost_usd)}</td>
      <td data-wide title={state.model}>
        <span className="ca-Clip">{shortModel(state.model)}</span>
      </td>
      <td>
        {!state.expired && (
          <button
            type="button"
            className="ca-Button"
            aria-pressed={Boolean(state.pinned)}
            aria-label={trans.__('Keep this execution of %1', state.project_name)}
            title={
              state.pinned
                ? trans.__('Pinned: it stays until you unpin it')
                : trans.__('Pin it, so that it does not expire')
            }
            onClick={event => {
              event.stopPropagation();
              onPin(state.execution_id, !state.pinned);
            }}
          >
            <Icon name="pin" solid={Boolean(state.pinned)} />
          </button>
        )}
      </td>
    </tr>
  );
}

export function Executions(props: ExecutionsProps): JSX.Element {
  const { trans, rows, more, status, onStatus, onMore } = props;
  const now = useNow(rows.some(row => row.status === 'running'));
  return (
    <section className="ca-Executions" aria-label={trans.__('Executions')}>
      <div className="ca-Chart-head">
        <h2>{trans.__('Executions')}</h2>
        <label className="ca-Select">
          <span className="ca-Hidden">{trans.__('Status')}</span>
          <select
            value={status ?? ''}
            onChange={event => onStatus((event.target.value || null) as Status | null)}
          >
            <option value="">{trans.__('Every status')}</option>
            {STATUSES.map(each => (
              <option key={each} value={each}>
                {statusLabel(trans, each)}
              </option>
            ))}
          </select>
        </label>
      </div>
      {rows.length === 0 ? (
        <p className="ca-Chart-nothing">{trans.__('No execution of this window has that status.')}</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">{trans.__('Status')}</th>
              <th scope="col">{trans.__('Project')}</th>
              <th scope="col">{trans.__('Created')}</th>
              <th scope="col">{trans.__('Duration')}</th>
              <th scope="col">{trans.__('Tokens')}</th>
              <th scope="col">{trans.__('Cost')}</th>
              <th scope="col" data-wide>
                {trans.__('Model')}
              </th>
              <th scope="col">
                <span className="ca-Hidden">{trans.__('Keep')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(state => (
              <Row key={state.execution_id} {...props} state={state} now={now} />
            ))}
          </tbody>
        </table>
      )}
      {more && (
        <button type="button" className="ca-Link" onClick={onMore}>
          {trans.__('More executions')}
        </button>
      )}
    </section>
  );
}
