/**
 * Trying a hook on what past runs did: what it would have blocked, asked or changed. Runs the hook, nothing else.
 */
import { useState } from 'react';

import { ApiError } from '../api/errors';
import type { Backtest, BacktestRow, Hook } from '../api/types';
import { useActions, useUi } from '../ui/context';
import type { Translation } from '../ui/labels';

/** Executions that are looked at, newest first. */
const LAST = 50;
/** Lines that are listed; the rest is a number. */
const MOST = 30;

type State =
  | { kind: 'idle' }
  | { kind: 'trying' }
  | { kind: 'failed'; message: string }
  | { kind: 'done'; result: Backtest };

function outcomeLabel(trans: Translation, outcome: BacktestRow['outcome']): string {
  switch (outcome) {
    case 'allow':
      return trans.__('allowed');
    case 'ask':
      return trans.__('asked');
    case 'deny':
      return trans.__('blocked');
    case 'changed':
      return trans.__('changed');
    case 'failed':
      return trans.__('failed');
  }
}

/** The outcome in a sentence. */
export function verdictOf(trans: Translation, result: Backtest): string {
  const { seen, denied, asked, changed, failed, executions } = result;
  if (!executions) {
    return trans.__('There is no run to try it on yet. Run the agent once, then try again.');
  }
  if (!seen) {
    return trans._n(
      'It would have been told about nothing in the last run.',
      'It would have been told about nothing in the last %1 runs.',
      executions
    );
  }
  const parts = [
    trans._n('Would have blocked %2 of %1 call', 'Would have blocked %2 of %1 calls', seen, denied),
    ...(asked ? [trans.__('asked for %1', asked)] : []),
    ...(changed ? [trans.__('changed %1', changed)] : []),
    ...(failed ? [trans.__('failed at %1', failed)] : [])
  ];
  const where = trans._n('in the last run.', 'in the last %1 runs.', executions);
  return `${parts.join(', ')} ${where}`;
}

function Rows({ result }: { result: Backtest }): JSX.Element | null {
  const { trans } = useUi();
  const actions = useActions();
  // What it did is told first; what it let pass is a number.
  const told = result.rows.filter(row => row.outcome !== 'allow');
  if (!told.length) {
    return null;
  }
  return (
    <ul className="ca-Tried" aria-label={trans.__('What it would have done')}>
      {told.slice(0, MOST).map(row => (
        <li key={`${row.execution_id} ${row.event_id}`}>
          <span className="ca-Badge" data-outcome={row.outcome}>
            {outcomeLabel(trans, row.outcome)}
          </span>
          <button
            type="button"
            className="ca-Link"
            title={trans.__('Show that run')}
            onClick={() => void actions.look(row.execution_id)}
          >
            {row.tool ?? result.on}
          </button>
          <span className="ca-Tried-why">{row.message}</span>
        </li>
      ))}
      {told.length > MOST && <li>{trans.__('and %1 more', told.length - MOST)}</li>}
    </ul>
  );
}

export function HookTry({ hook }: { hook: Hook }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const [state, setState] = useState<State>({ kind: 'idle' });
  const attempt = async () => {
    setState({ kind: 'trying' });
    try {
      const result = await actions.tryHook(hook.id, LAST);
      setState(result ? { kind: 'done', result } : { kind: 'idle' });
    } catch (error) {
      setState({ kind: 'failed', message: error instanceof ApiError ? error.message : String(error) });
    }
  };
  return (
    <div className="ca-Field">
      <button
        type="button"
        className="ca-Secondary"
        disabled={state.kind === 'trying'}
        onClick={() => void attempt()}
      >
        {state.kind === 'trying' ? trans.__('Trying') : trans.__('Try it on past runs')}
      </button>
      <div role="status">
        {state.kind === 'idle' && (
          <p className="ca-Field-help">
            {trans.__(
              'Saves the project, then tells this hook, and nothing else, what the last %1 runs did.',
              LAST
            )}
          </p>
        )}
        {state.kind === 'failed' && <p className="ca-Field-bad">{state.message}</p>}
        {state.kind === 'done' && <p className="ca-Tried-verdict">{verdictOf(trans, state.result)}</p>}
        {state.kind === 'done' && !state.result.complete && (
          <p className="ca-Field-help">
            {trans.__('There was more than one try looks at; the newest runs came first.')}
          </p>
        )}
      </div>
      {state.kind === 'done' && <Rows result={state.result} />}
    </div>
  );
}
