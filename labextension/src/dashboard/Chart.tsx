/**
 * The frame around a chart: its title and sum, legend, and on wish the same numbers as a table.
 */
import { lazy, Suspense, useEffect, useRef, useState } from 'react';

import { Icon } from '../ui/Icon';
import type { Translation } from '../ui/labels';

import type { Point, Series } from './series';

const TimeChart = lazy(() => import('./charts').then(module => ({ default: module.TimeChart })));

/** Least height of a chart, in CSS pixels: beside a card with a longer legend it takes the room that is left. */
const HEIGHT = 168;
/** Width before it has been measured. */
const WIDTH = 360;

export interface ChartFrameProps {
  trans: Translation;
  title: string;
  /** What it comes to, in a word or two. */
  sum?: string;
  data: readonly Point[];
  series: readonly Series[];
  kind: 'bars' | 'lines';
  format: (value: number) => string;
  steps?: 'whole' | 'time';
  everyLabel?: boolean;
  /** What to say where there is nothing to draw. */
  nothing: string;
}

/** The size of an element in CSS pixels, as it changes. */
function useSize(): [React.RefObject<HTMLDivElement>, { width: number; height: number }] {
  const element = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: WIDTH, height: HEIGHT });
  useEffect(() => {
    const node = element.current;
    if (!node) {
      return;
    }
    const measure = () => {
      const { clientWidth: width, clientHeight: height } = node;
      if (width && height) {
        setSize(before => (before.width === width && before.height === height ? before : { width, height }));
      }
    };
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    measure();
    return () => observer.disconnect();
  }, []);
  return [element, size];
}

function Numbers({ trans, title, data, series, format }: ChartFrameProps): JSX.Element {
  return (
    // A box that scrolls has to be reached by keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="ca-Numbers" tabIndex={0} role="region" aria-label={title}>
      <table>
        <thead>
          <tr>
            <th scope="col">{trans.__('From')}</th>
            {series.map(each => (
              <th key={each.key} scope="col">
                {each.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {data.map(point => (
            <tr key={point.label}>
              <th scope="row">{point.label}</th>
              {series.map(each => {
                const value = point.values[each.key];
                return <td key={each.key}>{value === null ? '–' : format(value)}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Chart(props: ChartFrameProps): JSX.Element {
  const { trans, title, sum, data, series, kind, format, steps, everyLabel, nothing } = props;
  const [numbers, setNumbers] = useState(false);
  const [element, { width, height }] = useSize();
  const empty = data.every(point => series.every(each => !point.values[each.key]));
  return (
    <figure className="ca-Chart" aria-label={title}>
      <figcaption className="ca-Chart-head">
        <h2>{title}</h2>
        {sum !== undefined && <span className="ca-Chart-sum">{sum}</span>}
        {!empty && (
          <button
            type="button"
            className="ca-Button"
            aria-pressed={numbers}
            aria-label={trans.__('%1: as numbers', title)}
            title={trans.__('As numbers')}
            onClick={() => setNumbers(!numbers)}
          >
            <Icon name="result" />
          </button>
        )}
      </figcaption>
      <div ref={element} className="ca-Chart-body" style={{ minHeight: HEIGHT }}>
        {empty ? (
          <p className="ca-Chart-nothing">{nothing}</p>
        ) : numbers ? (
          <Numbers {...props} />
        ) : (
          <div className="ca-Chart-drawing">
            <Suspense fallback={null}>
              <TimeChart
                title={title}
                data={data}
                series={series}
                kind={kind}
                format={format}
                steps={steps}
                everyLabel={everyLabel}
                width={width}
                height={height}
              />
            </Suspense>
          </div>
        )}
      </div>
      {series.length > 1 && !empty && !numbers && (
        <ul className="ca-Legend">
          {series.map(each => (
            <li key={each.key}>
              <span
                className="ca-Swatch"
                data-line={kind === 'lines' || undefined}
                data-dash={each.dash ? true : undefined}
                style={{ color: each.colour, background: kind === 'bars' ? each.colour : undefined }}
              />
              {each.label}
            </li>
          ))}
        </ul>
      )}
    </figure>
  );
}
