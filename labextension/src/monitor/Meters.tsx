/**
 * Cost, tokens and time beside their limits.
 */
import { useProject, useUi } from '../ui/context';
import { duration, elapsed, money, tokens } from '../ui/format';
import { useNow } from '../ui/hooks';

/** Share of a limit from which its bar warns. */
const WARN_PERCENT = 80;

function Meter(props: {
  label: string;
  used: string;
  limit: string | null;
  percent: number | null;
}): JSX.Element {
  const { label, used, limit, percent } = props;
  const level = percent === null ? 0 : Math.min(100, Math.max(0, percent));
  const text = limit === null ? used : `${used} / ${limit}`;
  return (
    <div className="ca-Meter">
      <span className="ca-Meter-label">{label}</span>
      <span className="ca-Meter-value">{text}</span>
      <span
        className="ca-Meter-bar"
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(level)}
        aria-valuetext={text}
        data-warn={level >= WARN_PERCENT || undefined}
      >
        <span style={{ width: `${level}%` }} />
      </span>
    </div>
  );
}

export function Meters(): JSX.Element {
  const { trans } = useUi();
  const monitor = useProject(state => state.monitor);
  const skew = useProject(state => state.skewMs);
  const going = monitor !== null && monitor.startedAt !== null && monitor.endedAt === null;
  const now = useNow(going) - skew;
  if (!monitor?.limits || monitor.startedAt === null) {
    return <div className="ca-Meters" />;
  }
  const { limits } = monitor;
  const ms = going ? now - monitor.startedAt : (monitor.durationMs ?? 0);
  const share = (used: number | null, limit: number | null) =>
    used === null || limit === null ? null : (100 * used) / limit;
  return (
    <div className="ca-Meters">
      <Meter
        label={trans.__('Cost')}
        used={money(monitor.totalCostUsd)}
        limit={limits.max_cost_usd === null ? null : money(limits.max_cost_usd)}
        percent={share(monitor.totalCostUsd, limits.max_cost_usd)}
      />
      <Meter
        label={trans.__('Tokens')}
        used={tokens(monitor.tokens)}
        limit={tokens(limits.max_tokens)}
        percent={share(monitor.tokens, limits.max_tokens)}
      />
      <Meter
        label={trans.__('Time')}
        used={going ? elapsed(ms) : duration(ms)}
        limit={duration(limits.timeout_s * 1_000)}
        percent={share(ms, limits.timeout_s * 1_000)}
      />
    </div>
  );
}
