/**
 * An icon in a view. Decorative: whatever holds it carries the label.
 */
import { GLYPHS } from './glyphs';
import type { GlyphName } from './glyphs';

export function Icon({ name, solid }: { name: GlyphName; solid?: boolean }): JSX.Element {
  return (
    <svg className="ca-Icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <g
        fill={solid ? 'currentColor' : 'none'}
        stroke="currentColor"
        strokeWidth="1.4"
        strokeLinecap="round"
        strokeLinejoin="round"
      >
        {GLYPHS[name].map(d => (
          <path key={d} d={d} />
        ))}
      </g>
    </svg>
  );
}
