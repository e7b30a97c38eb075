/**
 * Money over time as lines, one for each agent and one for all, with the cap and its 80 %.
 *
 * Part of the chunk of charts: whoever draws one imports this folder lazily.
 */
import { useState } from 'react';
import {
  CartesianGrid,
  Legend,
  Line,
  LineChart,
  ReferenceLine,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis
} from 'recharts';

import type { CostPoint } from '../stores/costs';
import { elapsed, money } from '../ui/format';

import { roundTicks, timeTicks } from './ticks';

export interface CostChartProps {
  points: readonly CostPoint[];
  agents: readonly { id: string; name: string }[];
  cap: number | null;
  words: { total: string; cap: string; warn: string; label: string };
}

/** Share of the cap from which its lines belong on the chart: below, they would press all else flat. */
const NEAR = 0.3;
const WARN = 0.8;
const COLOURS = [
  'var(--ca-agent)',
  'var(--ca-subagent)',
  'var(--ca-mcp)',
  'var(--ca-hook)',
  'var(--ca-good)'
];
/** Lines differ in their strokes too, not in colour alone. */
const STROKES = ['', '6 3', '2 3', '8 3 2 3', '1 4'];
const TEXT = { fontSize: 12, fill: 'var(--ca-muted)' };

export function CostChart({ points, agents, cap, words }: CostChartProps): JSX.Element {
  const last = points[points.length - 1];
  const [whole, setWhole] = useState(cap !== null && last.total >= cap * NEAR);
  const amounts = (value: number) => (last.total >= 0.1 || whole ? `$${value.toFixed(2)}` : money(value));
  const top = cap !== null && whole ? cap * 1.06 : last.total * 1.15;
  return (
    <figure className="ca-CostChart" aria-label={words.label}>
      <div className="ca-CostChart-plot">
        <ResponsiveContainer width="100%" height="100%">
          <LineChart
            data={points as CostPoint[]}
            margin={{ top: 12, right: 24, bottom: 0, left: 4 }}
            title={words.label}
          >
            <CartesianGrid stroke="var(--ca-edge)" strokeDasharray="2 4" vertical={false} />
            <XAxis
              dataKey="at"
              type="number"
              domain={[0, 'dataMax']}
              tick={TEXT}
              ticks={timeTicks(last.at)}
              tickFormatter={elapsed}
              stroke="var(--ca-edge)"
            />
            <YAxis
              domain={[0, top]}
              allowDataOverflow
              tick={TEXT}
              ticks={roundTicks(top)}
              tickFormatter={amounts}
              width={64}
              stroke="var(--ca-edge)"
            />
            <Tooltip
              isAnimationActive={false}
              formatter={value => money(Number(value))}
              labelFormatter={value => elapsed(Number(value))}
              contentStyle={{
                background: 'var(--ca-surface)',
                border: '1px solid var(--ca-edge)',
                borderRadius: 4,
                fontSize: 12
              }}
            />
            <Legend iconType="plainline" wrapperStyle={{ fontSize: 12 }} />
            {cap !== null && whole && (
              <>
                <ReferenceLine
                  y={cap}
                  stroke="var(--ca-bad)"
                  label={{ value: words.cap, position: 'insideTopRight', ...TEXT }}
                />
                <ReferenceLine
                  y={cap * WARN}
                  stroke="var(--ca-warn)"
                  strokeDasharray="4 4"
                  label={{ value: words.warn, position: 'insideTopRight', ...TEXT }}
                />
              </>
            )}
            {agents.length > 1 && (
              <Line
                dataKey="total"
                name={words.total}
                type="stepAfter"
                stroke="var(--jp-ui-font-color1)"
                strokeWidth={2}
                dot={false}
                isAnimationActive={false}
              />
            )}
            {agents.map(({ id, name }, index) => (
              <Line
                key={id}
                dataKey={(point: CostPoint) => point.agents[id]}
                name={name}
                type="stepAfter"
                stroke={COLOURS[index % COLOURS.length]}
                strokeDasharray={agents.length > 1 ? STROKES[index % STROKES.length] : ''}
                strokeWidth={2}
                dot={false}
                isAnimationActive={false}
              />
            ))}
          </LineChart>
        </ResponsiveContainer>
      </div>
      {cap !== null && (
        <figcaption>
          <label>
            <input type="checkbox" checked={whole} onChange={event => setWhole(event.target.checked)} />
            {`${words.cap} · ${words.warn} ${money(cap * WARN)}`}
          </label>
        </figcaption>
      )}
    </figure>
  );
}
