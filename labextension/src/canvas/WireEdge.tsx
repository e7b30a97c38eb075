/**
 * An edge: solid to a subagent, dashed to a hook, dotted to an MCP server; in the colour of its kind once
 * it was used, with a light that travels along it while it is.
 */
import type { Edge, EdgeProps } from '@xyflow/react';
import { BaseEdge, getBezierPath } from '@xyflow/react';
import { memo } from 'react';

import { cardRun } from '../stores/select';
import { useProject } from '../ui/context';

export interface WireData extends Record<string, unknown> {
  kind: 'subagent' | 'hook' | 'mcp';
  /** Whether it is one of very many. */
  thin: boolean;
  /** Whether it draws the dots where it begins and where it ends. */
  begins: boolean;
  ends: boolean;
}

export type Wire = Edge<WireData>;

export const WireEdge = memo(function WireEdge(props: EdgeProps<Wire>) {
  const { sourceX, sourceY, sourcePosition, targetX, targetY, targetPosition, target, data } = props;
  const state = useProject(each => cardRun(each, target)?.state ?? 'idle');
  const [path] = getBezierPath({ sourceX, sourceY, sourcePosition, targetX, targetY, targetPosition });
  return (
    <g className="ca-Wire" data-kind={data?.kind} data-state={state} data-thin={data?.thin || undefined}>
      <BaseEdge path={path} />
      {state === 'running' && <path className="ca-Wire-light" d={path} pathLength={100} />}
      {data?.begins && <circle cx={sourceX} cy={sourceY} r={3} />}
      {data?.ends && <circle cx={targetX} cy={targetY} r={3} />}
    </g>
  );
});

export const EDGE_TYPES = { wire: WireEdge };
