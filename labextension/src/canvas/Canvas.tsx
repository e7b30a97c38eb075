/**
 * The canvas: cards and edges of the definition on a grid, moved with mouse or keyboard; or the same cards as
 * an outline.
 *
 * What connects to what comes from `graph/`; React Flow only draws and drags (`Flow.tsx`).
 */
import { ReactFlowProvider } from '@xyflow/react';
import { useRef } from 'react';

import type { Definition } from '../api/types';
import { useProject } from '../ui/context';

import { Flow } from './Flow';
import { FrozenNote } from './FrozenNote';
import { Outline } from './Outline';
import { Search } from './Search';
import { useShortcuts } from './useShortcuts';

export function Canvas({ definition }: { definition: Definition }): JSX.Element {
  const outline = useProject(state => state.outline);
  const searching = useProject(state => state.searching);
  const root = useRef<HTMLDivElement>(null);
  useShortcuts(root);
  return (
    <div className="ca-Ground" ref={root}>
      {outline ? (
        <Outline definition={definition} />
      ) : (
        <ReactFlowProvider>
          <Flow definition={definition} />
        </ReactFlowProvider>
      )}
      <div className="ca-Over">
        <FrozenNote />
        {searching && <Search definition={definition} />}
      </div>
    </div>
  );
}
