/**
 * The largest of something, each with a bar for its share: a table, so that it is read as well as seen.
 */
import type { GlyphName } from '../ui/glyphs';
import { Icon } from '../ui/Icon';

export interface Ranked {
  key: string;
  label: string;
  /** What stands small behind the name. */
  detail?: string;
  icon?: GlyphName;
  /** What the bar shows. */
  size: number;
  /** Cells behind the name, in the order of `columns`. */
  cells: readonly string[];
}

export interface RankingProps {
  title: string;
  /** What the first column is, and those behind it. */
  what: string;
  columns: readonly string[];
  rows: readonly Ranked[];
  colour: string;
  nothing: string;
}

/** Rows that are shown. */
const SHOWN = 8;

export function Ranking({ title, what, columns, rows, colour, nothing }: RankingProps): JSX.Element {
  const largest = Math.max(...rows.map(row => row.size), 0) || 1;
  return (
    <section className="ca-Chart" aria-label={title}>
      <div className="ca-Chart-head">
        <h2>{title}</h2>
      </div>
      {rows.length === 0 ? (
        <p className="ca-Chart-nothing">{nothing}</p>
      ) : (
        <table className="ca-Ranking">
          <thead>
            <tr>
              <th scope="col">{what}</th>
              {columns.map(column => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, SHOWN).map(row => (
              <tr key={row.key}>
                <th scope="row" title={row.label}>
                  <span className="ca-Ranking-name">
                    {row.icon && <Icon name={row.icon} />}
                    <span className="ca-Clip">{row.label}</span>
                    {row.detail && <small className="ca-Clip">{row.detail}</small>}
                  </span>
                  <span
                    className="ca-Ranking-bar"
                    style={{ width: `${(100 * row.size) / largest}%`, background: colour }}
                  />
                </th>
                {row.cells.map((cell, place) => (
                  <td key={columns[place]}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
