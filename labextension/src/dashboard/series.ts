/**
 * Figures as charts want them: pure.
 */
import type { Bucket, Metrics } from '../api/types';
import type { Translation } from '../ui/labels';

/** One line or one stack of a chart. */
export interface Series {
  key: string;
  label: string;
  /** A CSS colour. */
  colour: string;
  /** How the line is drawn where colours cannot be told apart. */
  dash?: string;
}

/** One place on the axis; values by the series' keys, null where there is none. */
export interface Point {
  label: string;
  /** What it stands for in full, where the label has no room for that. */
  name?: string;
  values: Record<string, number | null>;
}

const HOUR_S = 3_600;

/** When a bucket begins: a time, or from a day's length on a date. */
export function bucketLabel(start: string, bucketS: number): string {
  const moment = new Date(start);
  return bucketS > HOUR_S
    ? moment.toLocaleDateString(undefined, { day: 'numeric', month: 'short' })
    : moment.toLocaleTimeString(undefined, { hour: 'numeric', minute: '2-digit' });
}

function points(metrics: Metrics, values: (bucket: Bucket) => Point['values']): Point[] {
  return metrics.buckets.map(bucket => ({
    label: bucketLabel(bucket.start, metrics.bucket_s),
    values: values(bucket)
  }));
}

export function costPoints(metrics: Metrics): Point[] {
  return points(metrics, bucket => ({ cost: bucket.cost_usd }));
}

/** Dollars as the edge of a bin: `$0.001`, `$0.10`, `$10`. */
function edge(usd: number): string {
  return `$${Number.isInteger(usd) || usd < 0.1 ? usd : usd.toFixed(2)}`;
}

/** How many executions cost how much: one place for each bin, named by where it ends. */
export function costBins(metrics: Metrics, trans: Translation): Point[] {
  return metrics.cost_histogram.map(({ from_usd, to_usd, executions }) => ({
    label: to_usd === null ? trans.__('more') : `<${edge(to_usd)}`,
    name:
      to_usd === null
        ? trans.__('%1 and more', edge(from_usd))
        : from_usd === 0
          ? trans.__('less than %1', edge(to_usd))
          : trans.__('%1 to less than %2', edge(from_usd), edge(to_usd)),
    values: { executions: executions ?? 0 }
  }));
}

export function tokenPoints(metrics: Metrics): Point[] {
  return points(metrics, ({ usage }) => ({
    fresh: usage?.input_tokens ?? 0,
    written: usage?.cache_creation_input_tokens ?? 0,
    cached: usage?.cache_read_input_tokens ?? 0,
    output: usage?.output_tokens ?? 0
  }));
}

export function statusPoints(metrics: Metrics): Point[] {
  return points(metrics, ({ executions }) => ({
    completed: executions?.completed ?? 0,
    failed: executions?.failed ?? 0,
    cancelled: executions?.cancelled ?? 0,
    open:
      (executions?.queued ?? 0) +
      (executions?.running ?? 0) +
      (executions?.waiting ?? 0) +
      (executions?.interrupted ?? 0)
  }));
}

export function durationPoints(metrics: Metrics): Point[] {
  return points(metrics, ({ duration }) => ({
    p50: duration?.p50_ms ?? null,
    p95: duration?.p95_ms ?? null
  }));
}

export function queuePoints(metrics: Metrics): Point[] {
  return points(metrics, bucket => ({
    waiting: bucket.queue_length ?? 0,
    running: bucket.running ?? 0
  }));
}

/** Round steps from 0 to at least `most`, at most five of them. */
export function ticks(most: number, whole: boolean): number[] {
  if (!(most > 0)) {
    return [0, 1];
  }
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const nice = [1, 2, 2.5, 5, 10].find(factor => factor * power >= rough * 0.999) ?? 10;
  const step = whole ? Math.max(1, Math.ceil(nice * power)) : nice * power;
  const count = Math.max(1, Math.ceil(most / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, place) => Number((place * step).toPrecision(12)));
}

const MINUTE_MS = 60_000;
/** Steps of a clock, in milliseconds. */
const CLOCK_MS = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30].map(seconds => seconds * 1_000),
  ...[1, 2, 5, 10, 15, 30, 60, 120].map(minutes => minutes * MINUTE_MS)
];

/** Steps of a clock from 0 to at least `mostMs`, at most five of them. */
export function timeTicks(mostMs: number): number[] {
  const step = CLOCK_MS.find(each => each * 4 >= mostMs) ?? CLOCK_MS[CLOCK_MS.length - 1];
  const count = Math.max(1, Math.ceil(mostMs / step));
  return Array.from({ length: count + 1 }, (_, place) => place * step);
}

/** The largest value at one place; of a stack the largest sum. */
export function most(data: readonly Point[], series: readonly Series[], stacked: boolean): number {
  return data.reduce((largest, point) => {
    const values = series.map(each => point.values[each.key] ?? 0);
    const here = stacked ? values.reduce((sum, value) => sum + value, 0) : Math.max(0, ...values);
    return Math.max(largest, here);
  }, 0);
}
