/**
 * Charts over time, drawn by recharts: a chunk of its own, loaded with the first figures.
 *
 * Not here: what is drawn (`series.ts`), title, legend and the same numbers as a table (`Chart.tsx`).
 */
import { Bar, BarChart, CartesianGrid, Line, LineChart, Tooltip, XAxis, YAxis } from 'recharts';

import type { Point, Series } from './series';
import { most, ticks, timeTicks } from './series';

export interface ChartProps {
  /** What it shows, for screen readers. */
  title: string;
  data: readonly Point[];
  series: readonly Series[];
  kind: 'bars' | 'lines';
  format: (value: number) => string;
  /** What the steps of the axis are: whole numbers, or those of a clock (milliseconds). */
  steps?: 'whole' | 'time';
  /** Whether each place has its label, however narrow it is: there are few, and none can be guessed. */
  everyLabel?: boolean;
  width: number;
  height: number;
}

interface TipProps {
  active?: boolean;
  label?: string | number;
  payload?: readonly { payload?: Point }[];
  series: readonly Series[];
  format: (value: number) => string;
}

function Tip({ active, label, payload, series, format }: TipProps): JSX.Element | null {
  const point = payload?.[0]?.payload;
  if (!active || !point) {
    return null;
  }
  return (
    <div className="ca-Tip">
      <div className="ca-Tip-when">{point.name ?? label}</div>
      {series.map(each => {
        const value = point.values[each.key];
        return (
          <div key={each.key} className="ca-Tip-row">
            <span className="ca-Swatch" style={{ background: each.colour }} />
            <span>{each.label}</span>
            <strong>{value === null ? '–' : format(value)}</strong>
          </div>
        );
      })}
    </div>
  );
}

/** Room for the numbers beside the axis, in pixels. */
const AXIS_WIDTH = 56;
/** Room that a label such as `<$0.001` takes with what parts it from the next, and the height of a line. */
const LABEL_WIDTH = 56;
const LINE = 16;
/** Widest a bar may be. */
const BAR_WIDTH = 28;

interface TickProps {
  /** Filled in by recharts. */
  x?: number;
  y?: number;
  index?: number;
  payload?: { value: string };
}

/** A label of the axis; every other one a line lower. */
function LowerTick({ x, y, index = 0, payload }: TickProps): JSX.Element {
  return (
    <text
      x={x}
      y={y}
      dy={index % 2 ? 12 + LINE : 12}
      textAnchor="middle"
      fill="var(--ca-muted)"
      fontSize={12}
    >
      {payload?.value}
    </text>
  );
}

export function TimeChart(props: ChartProps): JSX.Element {
  const { data, series, kind, format, steps, everyLabel, width, height, title } = props;
  const largest = most(data, series, kind === 'bars');
  const marks = steps === 'time' ? timeTicks(largest) : ticks(largest, steps === 'whole');
  const Frame = kind === 'bars' ? BarChart : LineChart;
  const ink = { fill: 'var(--ca-muted)', fontSize: 12 };
  // Where all labels have no room beside each other, every other one stands a line below.
  const staggered = everyLabel === true && (width - AXIS_WIDTH) / Math.max(1, data.length) < LABEL_WIDTH;
  return (
    <Frame
      width={width}
      height={height}
      data={data as Point[]}
      margin={{ top: 8, right: 8, bottom: 0, left: 0 }}
      accessibilityLayer
      title={title}
    >
      <CartesianGrid vertical={false} stroke="var(--ca-edge)" />
      <XAxis
        dataKey="label"
        tick={staggered ? <LowerTick /> : ink}
        height={staggered ? 30 + LINE : 30}
        tickLine={false}
        axisLine={{ stroke: 'var(--ca-edge)' }}
        minTickGap={16}
        interval={everyLabel ? 0 : 'preserveEnd'}
      />
      <YAxis
        width={AXIS_WIDTH}
        tick={ink}
        tickLine={false}
        axisLine={false}
        ticks={marks}
        domain={[0, marks[marks.length - 1]]}
        tickFormatter={mark => (mark === 0 ? '0' : format(mark))}
      />
      <Tooltip
        isAnimationActive={false}
        cursor={kind === 'bars' ? { fill: 'var(--ca-edge)', opacity: 0.35 } : { stroke: 'var(--ca-edge)' }}
        content={<Tip series={series} format={format} />}
      />
      {series.map(each =>
        kind === 'bars' ? (
          <Bar
            key={each.key}
            dataKey={`values.${each.key}`}
            name={each.label}
            stackId="one"
            fill={each.colour}
            maxBarSize={BAR_WIDTH}
            isAnimationActive={false}
          />
        ) : (
          <Line
            key={each.key}
            dataKey={`values.${each.key}`}
            name={each.label}
            stroke={each.colour}
            strokeWidth={2}
            strokeDasharray={each.dash}
            dot={{ r: 2.5, strokeDasharray: 'none' }}
            connectNulls
            isAnimationActive={false}
          />
        )
      )}
    </Frame>
  );
}
