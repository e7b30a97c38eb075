/**
 * What the next run will probably cost, beside the limits that cap it.
 */
import { willSimulate } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { money, tokens } from '../ui/format';

export function LimitsQuote(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const estimate = useProject(state => state.validation?.estimate ?? null);
  const checking = useProject(state => state.checking);
  const cap = useProject(state => state.history?.definition.limits.max_cost_usd ?? null);
  const simulate = useProject(willSimulate);
  if (simulate) {
    return (
      <p className="ca-QuoteBox">
        {trans.__(
          'The simulated model plays: it costs nothing, and its made-up cost counts towards the limits.'
        )}
      </p>
    );
  }
  if (!estimate) {
    return (
      <p className="ca-QuoteBox">
        {checking ? trans.__('Checking') : trans.__('What a run costs is known once the edits are checked.')}{' '}
        {!checking && (
          <button type="button" className="ca-Link" onClick={() => void actions.checkAloud()}>
            {trans.__('Save and check')}
          </button>
        )}
      </p>
    );
  }
  const { low_usd: low, high_usd: high, basis, executions, input_tokens: first } = estimate;
  const expected =
    low === null || high === null
      ? basis === 'local'
        ? trans.__('A local model: no price is known, its tokens count as free.')
        : trans.__('The price of the model is not known: only tokens, time and turns can hold a run.')
      : trans.__('A run will probably cost %1 to %2.', money(low), money(high));
  const from =
    basis === 'history'
      ? trans.__('Median and 90th percentile of the last %1 completed runs.', executions)
      : trans.__('Its first call takes about %1 tokens.', tokens(first));
  // The server never expects more than the cap: what would cost more ends there.
  const tight = cap !== null && high !== null && high >= cap;
  return (
    <div className="ca-QuoteBox" data-tight={tight || undefined}>
      <p>
        <strong>{expected}</strong> {from}
      </p>
      <p>
        {cap === null
          ? trans.__('Without a money limit nothing ends it at a sum.')
          : tight
            ? trans.__('The limit of %1 may end a long run, which keeps what it has by then.', money(cap))
            : trans.__('It never costs more than %1.', money(cap))}
      </p>
    </div>
  );
}
