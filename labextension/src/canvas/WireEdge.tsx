/**
 * An edge: solid to a subagent, dashed to a hook, dotted to an MCP server; lit once it was used.
 */
import type { Edge, EdgeProps } from '@xyflow/react';
import { BaseEdge, getBezierPath } from '@xyflow/react';
import { memo } from 'react';

import { useProject } from '../ui/context';

export type Wire = Edge<{ kind: 'subagent' | 'hook' | 'mcp' }>;

export const WireEdge = memo(function WireEdge(props: EdgeProps<Wire>) {
  const { sourceX, sourceY, sourcePosition, targetX, targetY, targetPosition, target, data } = props;
  const state = useProject(each => each.monitor?.cards[target]?.state ?? 'idle');
  const [path] = getBezierPath({ sourceX, sourceY, sourcePosition, targetX, targetY, targetPosition });
  return (
    <g className="ca-Wire" data-kind={data?.kind} data-state={state}>
      <BaseEdge path={path} />
      <circle cx={sourceX} cy={sourceY} r={3} />
      <circle cx={targetX} cy={targetY} r={3} />
    </g>
  );
});

export const EDGE_TYPES = { wire: WireEdge };
