/**
 * The cards as React Flow draws them. Positions live here while a card is being dragged, and go to the store
 * when it is let go.
 */
import type { Edge, EdgeChange, IsValidConnection, Node, NodeChange } from '@xyflow/react';
import {
  Background,
  BackgroundVariant,
  ConnectionMode,
  ReactFlow,
  SelectionMode,
  applyNodeChanges,
  useStore
} from '@xyflow/react';
import type { KeyboardEvent } from 'react';
import { useCallback, useEffect, useMemo, useState } from 'react';

import type { Definition, Position } from '../api/types';
import { titleOf } from '../graph/find';
import type { CardKind, Graph } from '../graph/graph';
import { graphOf } from '../graph/graph';
import { GRID } from '../graph/layout';
import { useActions, useProject, useUi } from '../ui/context';
import { kindLabel } from '../ui/labels';

import { ariaTexts, frozenTexts } from './aria';
import { CARD_TYPES } from './cards';
import { CardTools } from './CardTools';
import { FirstSteps } from './FirstSteps';
import { farness, scaleOf } from './fit';
import { Guides } from './Guides';
import { KeptFocus } from './KeptFocus';
import { nodesOf, wiresOf } from './nodes';
import { Overview } from './Overview';
import { Palette } from './Palette';
import { Refused } from './Refused';
import { RunPill } from './RunPill';
import { useGuides } from './useGuides';
import { useHandlers } from './useHandlers';
import { useKeys } from './useKeys';
import { useSnap } from './useSnap';
import { useOldView, useSought } from './useSought';
import { useView } from './useView';
import { useWalk } from './useWalk';
import { EDGE_TYPES } from './WireEdge';
import { ZoomControls } from './ZoomControls';

/**
 * From so many cards on, only those in view are rendered. Below, drawing all of them once costs less than
 * making and dropping cards with every step of a pan.
 */
const MANY = 400;
interface Props {
  definition: Definition;
}

function useLabels(definition: Definition, graph: Graph) {
  const { trans } = useUi();
  return useMemo(() => {
    const names = new Map(graph.cards.map(card => [card.id, titleOf(definition, card)]));
    const name = (id: string) => names.get(id) ?? id;
    return {
      card: (id: string, kind: string) => trans.__('%1: %2', kindLabel(trans, kind as CardKind), name(id)),
      edge: (edge: { source: string; target: string }) =>
        trans.__('%1 uses %2', name(edge.source), name(edge.target))
    };
  }, [definition, graph, trans]);
}

export function Flow({ definition }: Props): JSX.Element {
  const { trans, dark } = useUi();
  const actions = useActions();
  const picked = useProject(state => state.picked);
  const pickedWires = useProject(state => state.pickedWires);
  const frozen = useProject(state => state.frozen !== null);
  const snapping = useSnap();
  const graph = useMemo(() => graphOf(definition), [definition]);
  const labels = useLabels(definition, graph);
  const wires = useMemo(() => wiresOf(graph, pickedWires, labels.edge), [graph, pickedWires, labels]);
  const [nodes, setNodes] = useState<Node[]>(() => nodesOf(graph, [], picked, labels.card));
  useEffect(() => setNodes(old => nodesOf(graph, old, picked, labels.card)), [graph, picked, labels]);

  const { fit, show, remember, hasMap, room } = useView(definition);
  useSought(remember);
  useOldView(frozen, show);

  const { guide, lines, handlers: dragging } = useGuides(snapping);
  const onNodesChange = useCallback(
    (said: NodeChange[]) => {
      const changes = guide(said);
      if (!changes.length) {
        return;
      }
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
    [actions, graph, guide]
  );
  const onEdgesChange = useCallback(
    (changes: EdgeChange[]) => {
      for (const change of changes) {
        if (change.type === 'select') {
          actions.pickWire(change.id, change.selected);
        }
      }
    },
    [actions]
  );
  const keys = useKeys();
  const walk = useWalk(graph);
  const onKeyDown = useCallback(
    (event: KeyboardEvent<HTMLElement>) => walk.step(event) || keys.onKeyDown(event),
    [walk, keys]
  );
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
  const far = useStore(state => farness(state.transform[2]));
  const scale = useStore(state => scaleOf(state.transform[2]));
  const handlers = useHandlers(remember);
  const texts = useMemo(() => (frozen ? frozenTexts(trans) : ariaTexts(trans)), [trans, frozen]);
  // A card that is dragged is drawn with each frame: what floats beside it is not.
  const floating = useMemo(
    () => (
      <>
        <Background variant={BackgroundVariant.Dots} gap={GRID} size={1.2} />
        <ZoomControls room={room} fit={fit} moved={remember} />
        {!frozen && <Palette room={room} />}
        <CardTools definition={definition} />
        <Refused />
        <FirstSteps definition={definition} />
        <RunPill />
        {hasMap && <Overview moved={remember} />}
        <Guides lines={lines} />
        <KeptFocus />
      </>
    ),
    [room, fit, remember, frozen, definition, hasMap, lines]
  );

  return (
    <div
      className="ca-Canvas"
      data-far={far}
      data-room={room}
      style={{ '--ca-zoom': scale } as React.CSSProperties}
    >
      <ReactFlow
        nodes={nodes}
        edges={wires}
        nodeTypes={CARD_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={onNodesChange}
        onEdgesChange={onEdgesChange}
        onSelectionChange={onPicked}
        {...handlers}
        {...dragging}
        {...keys}
        onKeyDown={onKeyDown}
        onKeyDownCapture={walk.onKeyDownCapture}
        isValidConnection={valid}
        defaultViewport={definition.ui.viewport ?? undefined}
        connectionMode={ConnectionMode.Loose}
        connectionRadius={28}
        deleteKeyCode={null}
        multiSelectionKeyCode={MORE}
        selectionMode={SelectionMode.Partial}
        nodesDraggable={!frozen}
        nodesConnectable={!frozen}
        snapToGrid={snapping}
        snapGrid={SNAP}
        minZoom={0.1}
        maxZoom={2}
        onlyRenderVisibleElements={nodes.length > MANY}
        colorMode={dark ? 'dark' : 'light'}
        ariaLabelConfig={texts}
        proOptions={ATTRIBUTION}
        tabIndex={-1}
        aria-label={trans.__('Canvas of %1', definition.name)}
      >
        {floating}
      </ReactFlow>
    </div>
  );
}

/** Keys that, held, choose one more card. */
const MORE = ['Shift', 'Control', 'Meta'];
const SNAP: [number, number] = [GRID, GRID];
const ATTRIBUTION = { hideAttribution: true };
