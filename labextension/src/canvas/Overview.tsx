/**
 * The minimap: where things are, and which of them run now.
 */
import type { Node } from '@xyflow/react';
import { MiniMap } from '@xyflow/react';
import { useCallback, useMemo } from 'react';

import { useProject } from '../ui/context';

export function Overview(): JSX.Element {
  const running = useProject(state =>
    Object.entries(state.monitor?.cards ?? {})
      .filter(([, run]) => run.endedAt === null)
      .map(([id]) => id)
      .join(' ')
  );
  const lit = useMemo(() => new Set(running.split(' ')), [running]);
  const nameOf = useCallback(
    (node: Node) => `ca-Map-${node.type} ${lit.has(node.id) ? 'ca-mod-lit' : ''}`,
    [lit]
  );
  return <MiniMap className="ca-Map" pannable zoomable nodeBorderRadius={6} nodeClassName={nameOf} />;
}
