/**
 * The canvas: cards and edges of the definition on a grid, moved with mouse or keyboard.
 *
 * What connects to what comes from `graph/`; React Flow only draws and drags. Positions live here while
 * a card is being dragged, and go to the store when it is let go.
 */
import type { Edge, IsValidConnection, Node, NodeChange } from '@xyflow/react';
import {
  Background,
  BackgroundVariant,
  ConnectionMode,
  MiniMap,
  ReactFlow,
  ReactFlowProvider,
  applyNodeChanges,
  useReactFlow,
  useStore
} from '@xyflow/react';
import { useCallback, useEffect, useMemo, useState } from 'react';

import type { Definition, Position } from '../api/types';
import type { CardKind } from '../graph/graph';
import { cardName, graphOf } from '../graph/graph';
import type { NewKind } from '../graph/items';
import { GRID } from '../graph/layout';
import { useActions, usePreference, useProject, useUi } from '../ui/context';
import { kindLabel } from '../ui/labels';

import { ariaTexts } from './aria';
import { CARD_TYPES } from './cards';
import { CardTools } from './CardTools';
import { FirstSteps } from './FirstSteps';
import { FAR } from './fit';
import { nodesOf, wiresOf } from './nodes';
import { DRAGGED, newName, Palette } from './Palette';
import { Refused } from './Refused';
import { RunPill } from './RunPill';
import { useKeys } from './useKeys';
import { useView } from './useView';
import { EDGE_TYPES } from './WireEdge';
import { ZoomControls } from './ZoomControls';

/** From so many cards on, only those in view are rendered. */
const MANY = 100;
interface Props {
  definition: Definition;
}

function useLabels(definition: Definition) {
  const { trans } = useUi();
  return useMemo(() => {
    const name = (id: string) => cardName(definition, id);
    return {
      card: (id: string, kind: string) => trans.__('%1: %2', kindLabel(trans, kind as CardKind), name(id)),
      edge: (edge: { source: string; target: string }) =>
        trans.__('%1 uses %2', name(edge.source), name(edge.target))
    };
  }, [definition, trans]);
}

function Flow({ definition }: Props): JSX.Element {
  const { trans, dark } = useUi();
  const actions = useActions();
  const picked = useProject(state => state.picked);
  const pickedWires = useProject(state => state.pickedWires);
  const lit = useProject(state =>
    Object.entries(state.monitor?.cards ?? {})
      .filter(([, run]) => run.endedAt === null)
      .map(([id]) => id)
      .join(' ')
  );
  const labels = useLabels(definition);
  const graph = useMemo(() => graphOf(definition), [definition]);
  const wires = useMemo(() => wiresOf(graph, pickedWires, labels.edge), [graph, pickedWires, labels]);
  const [nodes, setNodes] = useState<Node[]>(() => nodesOf(graph, [], picked, labels.card));
  useEffect(() => setNodes(old => nodesOf(graph, old, picked, labels.card)), [graph, picked, labels]);

  const { fit, remember, hasMap, room } = useView(definition);

  const onNodesChange = useCallback(
    (changes: NodeChange[]) => {
      setNodes(old => applyNodeChanges(changes, old));
      const places: Record<string, Position> = {};
      for (const change of changes) {
        if (change.type === 'position' && change.position && !change.dragging) {
          const before = graph.cards.find(card => card.id === change.id)?.position;
          if (before && (before.x !== change.position.x || before.y !== change.position.y)) {
            places[change.id] = change.position;
          }
        }
      }
      if (Object.keys(places).length) {
        actions.move(places);
      }
    },
    [actions, graph]
  );
  const flow = useReactFlow();
  const snap = usePreference('snap');
  const keys = useKeys();
  const valid = useCallback<IsValidConnection>(
    ({ source, target }) => actions.refusal(source, target) === null,
    [actions]
  );
  const onPicked = useCallback(
    (chosen: { nodes: Node[]; edges: Edge[] }) =>
      actions.pick(
        chosen.nodes.map(node => node.id),
        chosen.edges.map(edge => edge.id)
      ),
    [actions]
  );
  const far = useStore(state => state.transform[2] < FAR);
  const scale = useStore(state => (state.transform[2] < FAR ? Math.round(state.transform[2] * 20) / 20 : 1));

  return (
    <div
      className="ca-Canvas"
      data-far={far || undefined}
      data-room={room}
      style={{ '--ca-zoom': Math.max(0.2, scale) } as React.CSSProperties}
    >
      <ReactFlow
        nodes={nodes}
        edges={wires}
        nodeTypes={CARD_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={onNodesChange}
        onNodeClick={(event, node) => {
          if (!event.shiftKey && !event.ctrlKey && !event.metaKey) {
            actions.select(node.id);
          }
        }}
        onSelectionChange={onPicked}
        onNodeDoubleClick={(_, node) => actions.openProperties(node.id)}
        onPaneClick={() => actions.select(null)}
        onMoveEnd={event => event && remember()}
        {...keys}
        onConnect={({ source, target }) => actions.connect(source, target)}
        onConnectEnd={(_, { isValid, fromNode, toNode }) => {
          if (isValid === false && fromNode && toNode) {
            actions.connect(fromNode.id, toNode.id);
          }
        }}
        isValidConnection={valid}
        onDragOver={event => {
          if (event.dataTransfer.types.includes(DRAGGED)) {
            event.preventDefault();
            event.dataTransfer.dropEffect = 'copy';
          }
        }}
        onDrop={event => {
          const kind = event.dataTransfer.getData(DRAGGED) as NewKind | '';
          if (kind) {
            event.preventDefault();
            const at = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
            actions.add(kind, newName(trans, kind), at);
            // Whoever puts a card somewhere wants it there, not a view that jumps.
            remember();
          }
        }}
        defaultViewport={definition.ui.viewport ?? undefined}
        connectionMode={ConnectionMode.Loose}
        connectionRadius={28}
        deleteKeyCode={null}
        snapToGrid={snap && definition.ui.snap}
        snapGrid={SNAP}
        minZoom={0.1}
        maxZoom={2}
        onlyRenderVisibleElements={nodes.length > MANY}
        colorMode={dark ? 'dark' : 'light'}
        ariaLabelConfig={ariaTexts(trans)}
        proOptions={ATTRIBUTION}
        aria-label={trans.__('Canvas of %1', definition.name)}
      >
        <Background variant={BackgroundVariant.Dots} gap={GRID} size={1.2} />
        <ZoomControls fit={fit} moved={remember} />
        <Palette room={room} />
        <CardTools definition={definition} />
        <Refused />
        <FirstSteps definition={definition} />
        <RunPill />
        {hasMap && (
          <MiniMap
            className="ca-Map"
            pannable
            zoomable
            nodeBorderRadius={6}
            nodeClassName={node =>
              `ca-Map-${node.type} ${lit.split(' ').includes(node.id) ? 'ca-mod-lit' : ''}`
            }
          />
        )}
      </ReactFlow>
    </div>
  );
}

const SNAP: [number, number] = [GRID, GRID];
const ATTRIBUTION = { hideAttribution: true };

export function Canvas({ definition }: Props): JSX.Element {
  return (
    <ReactFlowProvider>
      <Flow definition={definition} />
    </ReactFlowProvider>
  );
}
