/**
 * A canvas to look at: a definition as it was, or two of them in one picture with what was added, removed
 * and changed marked by colour, sign and word.
 */
import type { Node, NodeProps } from '@xyflow/react';
import {
  Background,
  BackgroundVariant,
  ConnectionMode,
  ReactFlow,
  ReactFlowProvider,
  applyNodeChanges,
  useStore
} from '@xyflow/react';
import { useEffect, useMemo, useState } from 'react';
import type { ComponentType, ReactNode } from 'react';

import type { Definition } from '../api/types';
import type { Mark } from '../graph/compare';
import type { CardKind, Graph } from '../graph/graph';
import { begin } from '../graph/history';
import { GRID } from '../graph/layout';
import { createProjectStore } from '../stores/project';
import { TabProvider, useActions, useUi } from '../ui/context';
import { kindLabel } from '../ui/labels';
import type { Translation } from '../ui/labels';
import { cardLabel } from '../ui/places';

import { frozenTexts } from './aria';
import { CARD_TYPES } from './cards';
import { farness, scaleOf } from './fit';
import { nodesOf, wiresOf } from './nodes';
import { EDGE_TYPES } from './WireEdge';

function markLabel(trans: Translation, mark: Mark): string {
  switch (mark) {
    case 'added':
      return trans.__('added');
    case 'removed':
      return trans.__('removed');
    case 'changed':
      return trans.__('changed');
  }
}

/** What stands before the word, for those who do not see the colour. */
const SIGN: Record<Mark, string> = { added: '+', removed: '−', changed: '~' };

type Inner = ComponentType<NodeProps>;

/** A card with its mark above it. */
function marked(Inner: Inner): Inner {
  return function MarkedCard(props: NodeProps) {
    const { trans } = useUi();
    const mark = props.data.mark as Mark | undefined;
    return (
      <div className="ca-Marked" data-mark={mark}>
        {mark && (
          <span className="ca-Mark">
            <span aria-hidden="true">{SIGN[mark]}</span>{' '}
            <span className="ca-Mark-word">{markLabel(trans, mark)}</span>
          </span>
        )}
        <Inner {...props} />
      </div>
    );
  };
}

const MARKED_TYPES = Object.fromEntries(
  Object.entries(CARD_TYPES).map(([kind, Card]) => [kind, marked(Card as unknown as Inner)])
);
const NO_PICK: readonly string[] = [];
const ATTRIBUTION = { hideAttribution: true };
const FIT = { padding: 0.12, maxZoom: 1 };

/** Cards far away say less, larger, as on the canvas itself. */
function Ground({ children }: { children: ReactNode }): JSX.Element {
  const far = useStore(state => farness(state.transform[2]));
  const scale = useStore(state => scaleOf(state.transform[2]));
  return (
    <div className="ca-Canvas ca-Frozen" data-far={far} style={{ '--ca-zoom': scale } as React.CSSProperties}>
      {children}
    </div>
  );
}

export interface FrozenCanvasProps {
  /** What the cards say. */
  definition: Definition;
  graph: Graph;
  marks?: ReadonlyMap<string, Mark>;
  label: string;
  /** Where names of removed cards are found. */
  before?: Definition;
  picked: string | null;
  onPick: (card: string | null) => void;
}

export function FrozenCanvas(props: FrozenCanvasProps): JSX.Element {
  const { trans, dark } = useUi();
  const actions = useActions();
  const { definition, before, graph, marks, label, picked, onPick } = props;
  // The cards read what they show from a store; this one holds the definition as it was, and no run.
  const store = useMemo(() => {
    const frozen = createProjectStore('');
    frozen.setState({ history: begin(definition) });
    return frozen;
  }, [definition]);
  const drawn = useMemo(() => {
    const words = (id: string, kind: string) => {
      const name = cardLabel(id, definition, before ?? definition);
      const mark = marks?.get(id);
      const what = trans.__('%1: %2', kindLabel(trans, kind as CardKind), name);
      return mark ? trans.__('%1, %2', what, markLabel(trans, mark)) : what;
    };
    const nodes = nodesOf(graph, [], picked === null ? NO_PICK : [picked], words);
    return nodes.map(node => ({ ...node, data: { ...node.data, mark: marks?.get(node.id) } }));
  }, [graph, marks, picked, definition, before, trans]);
  const [nodes, setNodes] = useState<Node[]>(drawn);
  useEffect(
    () => setNodes(old => drawn.map(node => ({ ...old.find(each => each.id === node.id), ...node }))),
    [drawn]
  );
  const wires = useMemo(
    () =>
      wiresOf(graph, [], edge => {
        const [source, target] = [edge.source, edge.target].map(id =>
          cardLabel(id, definition, before ?? definition)
        );
        const mark = marks?.get(edge.id);
        const what = trans.__('%1 uses %2', source, target);
        return mark ? trans.__('%1, %2', what, markLabel(trans, mark)) : what;
      }).map(wire => ({ ...wire, className: `ca-mod-${marks?.get(wire.id) ?? 'same'}` })),
    [graph, marks, definition, before, trans]
  );
  return (
    <TabProvider value={{ store, actions }}>
      <ReactFlowProvider>
        <Ground>
          <ReactFlow
            nodes={nodes}
            edges={wires}
            nodeTypes={MARKED_TYPES}
            edgeTypes={EDGE_TYPES}
            onNodesChange={changes => setNodes(old => applyNodeChanges(changes, old))}
            onNodeClick={(_, node) => onPick(node.id)}
            onPaneClick={() => onPick(null)}
            onKeyDown={event => {
              const id = (event.target as HTMLElement).closest('.react-flow__node')?.getAttribute('data-id');
              if (id && (event.key === 'Enter' || event.key === ' ')) {
                onPick(id);
              }
            }}
            connectionMode={ConnectionMode.Loose}
            nodesDraggable={false}
            nodesConnectable={false}
            deleteKeyCode={null}
            fitView
            fitViewOptions={FIT}
            minZoom={0.1}
            maxZoom={2}
            colorMode={dark ? 'dark' : 'light'}
            ariaLabelConfig={frozenTexts(trans)}
            proOptions={ATTRIBUTION}
            aria-label={label}
          >
            <Background variant={BackgroundVariant.Dots} gap={GRID} size={1.2} />
          </ReactFlow>
        </Ground>
      </ReactFlowProvider>
    </TabProvider>
  );
}
