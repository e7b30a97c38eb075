/**
 * The figures that one looks at first, each with its unit.
 */
import type { Metrics } from '../api/types';
import { total } from '../stores/dashboard';
import { duration, money, size, tokens } from '../ui/format';
import type { Translation } from '../ui/labels';

interface Tile {
  label: string;
  value: string;
  aside?: string;
}

/** A figure that stays on one line with its unit, where a narrow tile breaks what stands beside it. */
function whole(figure: string): string {
  return figure.replace(/ /g, '\u00a0');
}

function tilesOf(trans: Translation, metrics: Metrics): Tile[] {
  const { usage, disk } = metrics;
  const input =
    (usage.input_tokens ?? 0) +
    (usage.cache_creation_input_tokens ?? 0) +
    (usage.cache_read_input_tokens ?? 0);
  const count = total(metrics.executions);
  const rate = metrics.success_rate;
  const tiles: Tile[] = [
    {
      label: trans.__('Executions'),
      value: String(count),
      aside: rate === null ? undefined : trans.__('%1 % succeeded', Math.round(rate * 1000) / 10)
    },
    {
      label: trans.__('Tokens'),
      value: tokens(input + (usage.output_tokens ?? 0)),
      aside: trans.__('%1\u00a0in, %2\u00a0out', tokens(input), tokens(usage.output_tokens ?? 0))
    },
    {
      label: trans.__('Duration'),
      value: metrics.duration.p50_ms === null ? '–' : duration(metrics.duration.p50_ms ?? 0),
      aside:
        metrics.duration.p95_ms === null
          ? trans.__('median')
          : trans.__('median, p95\u00a0%1', whole(duration(metrics.duration.p95_ms ?? 0)))
    },
    {
      label: trans.__('Now'),
      value: trans.__('%1 running', metrics.running),
      aside: trans.__('%1 in the queue', metrics.queue_length)
    }
  ];
  if (!metrics.of_simulated) {
    const mean = count ? metrics.cost_usd / count : null;
    tiles.unshift({
      label: trans.__('Cost'),
      value: money(metrics.cost_usd),
      aside: metrics.unpriced_turns
        ? trans._n('%1 turn without a price', '%1 turns without a price', metrics.unpriced_turns)
        : mean === null
          ? undefined
          : trans.__('%1 per execution', money(mean))
    });
  }
  if (disk) {
    tiles.push({
      label: trans.__('Disk'),
      value: size(disk.used_bytes),
      aside: trans.__('%1 free', whole(size(disk.free_bytes)))
    });
  }
  return tiles;
}

export function Tiles({ trans, metrics }: { trans: Translation; metrics: Metrics }): JSX.Element {
  return (
    <dl className="ca-Tiles">
      {tilesOf(trans, metrics).map(tile => (
        <div key={tile.label} className="ca-Tile">
          <dt>{tile.label}</dt>
          <dd>{tile.value}</dd>
          {tile.aside && <dd className="ca-Tile-aside">{tile.aside}</dd>}
        </div>
      ))}
    </dl>
  );
}
