/**
 * Cost, tokens and time beside their limits, and how full the context window is.
 */
import { ranMs } from '../stores/select';
import { useProject, useProjectAtLeisure, useUi } from '../ui/context';
import { duration, elapsed, money, tokens } from '../ui/format';
import { useNow } from '../ui/hooks';

import { kindsLine } from './TokenKinds';

/** Share of a limit from which its bar warns. */
const WARN_PERCENT = 80;

interface Reading {
  id: 'cost' | 'tokens' | 'time' | 'context';
  label: string;
  /** What was used, beside its limit. */
  text: string;
  /** Label and text as one line. */
  line: string;
  /** What it consists of, for where there is much room. */
  more?: string;
  /** Share of the limit that was used, 0 where there is none. */
  percent: number;
}

/** What the shown execution has used of its limits and its window; none before it has started. */
export function useReadings(): Reading[] {
  const { trans } = useUi();
  const monitor = useProjectAtLeisure('figures', state => state.monitor);
  const skew = useProject(state => state.skewMs);
  const going = monitor !== null && monitor.startedAt !== null && monitor.endedAt === null;
  const now = useNow(going) - skew;
  if (!monitor?.limits || monitor.startedAt === null) {
    return [];
  }
  const { limits } = monitor;
  const ms = going ? ranMs(monitor, now) : (monitor.durationMs ?? 0);
  const reading = (
    id: Reading['id'],
    label: string,
    [used, limit]: [number | null, number | null],
    word: (value: number | null) => string,
    wordUsed = word
  ): Reading => {
    const text = limit === null ? wordUsed(used) : `${wordUsed(used)} / ${word(limit)}`;
    const share = used === null || limit === null ? 0 : (100 * used) / limit;
    return { id, label, text, line: `${label}: ${text}`, percent: Math.min(100, Math.max(0, share)) };
  };
  const withKinds = (all: Reading): Reading => {
    const more = kindsLine(trans, monitor.usage);
    return { ...all, more, line: `${all.line} (${more})` };
  };
  const count = (value: number | null) => tokens(value ?? 0);
  const time = (value: number | null) => duration(value ?? 0);
  const running = (value: number | null) => elapsed(value ?? 0);
  return [
    reading('cost', trans.__('Cost'), [monitor.totalCostUsd, limits.max_cost_usd], money),
    withKinds(reading('tokens', trans.__('Tokens'), [monitor.tokens, limits.max_tokens], count)),
    reading('time', trans.__('Time'), [ms, limits.timeout_s * 1_000], time, going ? running : time),
    ...(monitor.context
      ? [
          reading(
            'context',
            trans.__('Context'),
            [monitor.context.tokens, monitor.context.window ?? null],
            count
          )
        ]
      : [])
  ];
}

/** Meters that have room: all, the cost alone, or none. What is left out, the status' tooltip says. */
export function Meters(): JSX.Element {
  return (
    <div className="ca-Meters">
      {useReadings().map(({ id, label, text, line, more, percent }) => (
        <div key={id} className="ca-Meter" data-meter={id} title={line}>
          <span className="ca-Meter-label">{label}</span>
          <span className="ca-Meter-value">
            {more && <span className="ca-Meter-more">{more}</span>}
            {text}
          </span>
          <span
            className="ca-Meter-bar"
            role="meter"
            aria-label={label}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={Math.round(percent)}
            aria-valuetext={text}
            data-warn={percent >= WARN_PERCENT || undefined}
          >
            <span style={{ width: `${percent}%` }} />
          </span>
        </div>
      ))}
    </div>
  );
}
