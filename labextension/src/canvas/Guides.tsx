/**
 * The helper lines of a drag, over the cards and as thin as ever at each zoom.
 */
import { ViewportPortal } from '@xyflow/react';
import { useStore } from 'zustand';

import type { Lines } from './useGuides';

export function Guides({ lines }: { lines: Lines }): JSX.Element {
  const shown = useStore(lines);
  return (
    <ViewportPortal>
      <svg className="ca-Guides" aria-hidden="true">
        {shown.map(({ axis, at, from, to }) => (
          <line
            key={`${axis} ${at}`}
            {...(axis === 'x' ? { x1: at, x2: at, y1: from, y2: to } : { x1: from, x2: to, y1: at, y2: at })}
            vectorEffect="non-scaling-stroke"
          />
        ))}
      </svg>
    </ViewportPortal>
  );
}
