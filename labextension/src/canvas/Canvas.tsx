/**
 * The canvas: cards and edges of the definition on a grid, moved with mouse or keyboard.
 *
 * What connects to what comes from `graph/`; React Flow only draws and drags. Positions live here while
 * a card is being dragged, and go to the store when it is let go.
 */
import type { Node, NodeChange } from '@xyflow/react';
import {
  Background,
  BackgroundVariant,
  ConnectionMode,
  MiniMap,
  ReactFlow,
  ReactFlowProvider,
  applyNodeChanges,
  getViewportForBounds,
  useReactFlow,
  useStore
} from '@xyflow/react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

import type { Definition, Position } from '../api/types';
import type { CardKind } from '../graph/graph';
import { cardName, graphOf } from '../graph/graph';
import { GRID } from '../graph/layout';
import { useActions, useProject, useUi } from '../ui/context';
import { kindLabel } from '../ui/labels';

import { ariaTexts } from './aria';
import { CARD_TYPES } from './cards';
import { nodesOf, wiresOf } from './nodes';
import { RunPill } from './RunPill';
import { EDGE_TYPES } from './WireEdge';
import { ZoomControls } from './ZoomControls';

/** Below this zoom a card is icon, name and state only. */
const FAR = 0.58;
/** Zoom at which all text of a card can be read without effort. */
const READABLE = 0.8;
/** How much larger cards must become for a note to be left out of view. */
const WORTH_IT = 1.15;
/** Time after which a card that has changed is measured again, in milliseconds. */
const MEASURED_MS = 30;
/** From so many cards on, only those in view are rendered. */
const MANY = 100;
/** Smallest canvas that has room for the minimap, in CSS pixels. */
const MAP_WIDTH = 560;
const MAP_HEIGHT = 300;
/** Space kept free around the cards: more at the bottom, where controls and the map float. */
const PADDING = { top: '28px', left: '28px', right: '28px', bottom: '68px' } as const;
const PADDING_WITH_MAP = { ...PADDING, bottom: '112px' } as const;

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
  const flow = useReactFlow();
  const selected = useProject(state => state.selected);
  const lit = useProject(state =>
    Object.entries(state.monitor?.cards ?? {})
      .filter(([, run]) => run.endedAt === null)
      .map(([id]) => id)
      .join(' ')
  );
  const labels = useLabels(definition);
  const graph = useMemo(() => graphOf(definition), [definition]);
  const wires = useMemo(() => wiresOf(graph, labels.edge), [graph, labels]);
  const [nodes, setNodes] = useState<Node[]>(() => nodesOf(graph, [], selected, labels.card));
  useEffect(() => setNodes(old => nodesOf(graph, old, selected, labels.card)), [graph, selected, labels]);

  // Until the person moves the view, it follows the size of the tab.
  const [saved] = useState(definition.ui.viewport);
  const own = useRef(saved !== null);
  const width = useStore(state => state.width);
  const height = useStore(state => state.height);
  const measured = useStore(
    state => state.nodes.length > 0 && state.nodes.every(node => node.measured?.width)
  );
  // Cards grow by a line when they have run.
  const lines = useProject(state => Object.keys(state.monitor?.cards ?? {}).length);
  const hasMap = width >= MAP_WIDTH && height >= MAP_HEIGHT;
  const padding = hasMap ? PADDING_WITH_MAP : PADDING;
  const fit = useCallback(() => {
    // Notes explain; when there is no room for all, the cards come first.
    const cards = flow.getNodes().filter(node => node.type !== 'note');
    const zoom = (all: Node[]) =>
      getViewportForBounds(flow.getNodesBounds(all), width, height, 0.1, 1, padding).zoom;
    const whole = zoom(flow.getNodes());
    const nodes = whole < READABLE && zoom(cards) > whole * WORTH_IT ? cards : undefined;
    void flow.fitView({ nodes, padding, minZoom: 0.1, maxZoom: 1 });
  }, [flow, width, height, padding]);
  useEffect(() => {
    if (own.current && saved && width && height) {
      const agent = graph.cards[0].position;
      const { x, y, zoom } = flow.getViewport();
      const seen = { x: agent.x * zoom + x, y: agent.y * zoom + y };
      // A view saved in a larger tab may show nothing in this one.
      own.current = seen.x > -40 && seen.y > -40 && seen.x < width - 60 && seen.y < height - 60;
    }
    if (!own.current && width && height && measured) {
      const timer = setTimeout(fit, MEASURED_MS);
      return () => clearTimeout(timer);
    }
    // The graph is no reason to move the view.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [width, height, measured, lines, fit]);

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
  const far = useStore(state => state.transform[2] < FAR);
  const scale = useStore(state => (state.transform[2] < FAR ? Math.round(state.transform[2] * 20) / 20 : 1));

  return (
    <div
      className="ca-Canvas"
      data-far={far || undefined}
      style={{ '--ca-zoom': Math.max(0.2, scale) } as React.CSSProperties}
    >
      <ReactFlow
        nodes={nodes}
        edges={wires}
        nodeTypes={CARD_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={onNodesChange}
        onNodeClick={(_, node) => actions.select(node.id)}
        onNodeDoubleClick={(_, node) => actions.openProperties(node.id)}
        onPaneClick={() => actions.select(null)}
        onMoveEnd={(event, viewport) => {
          if (event) {
            own.current = true;
            actions.rememberView({ viewport });
          }
        }}
        onKeyDown={event => {
          const id = (event.target as HTMLElement).closest?.('.react-flow__node')?.getAttribute('data-id');
          if (event.key === 'Enter' && id) {
            actions.openProperties(id);
          }
        }}
        defaultViewport={saved ?? undefined}
        connectionMode={ConnectionMode.Loose}
        nodesConnectable={false}
        edgesFocusable={false}
        deleteKeyCode={null}
        snapToGrid={definition.ui.snap}
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
        <ZoomControls fit={fit} />
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
