/**
 * A template as a small picture of its own canvas: drawn from its definition, so it cannot go out of date.
 */
import { useMemo } from 'react';

import type { Definition } from '../api/types';
import type { Card, CardKind, Graph } from '../graph/graph';
import { graphOf } from '../graph/graph';
import { CARD_WIDTH } from '../graph/layout';
import type { Translation } from '../ui/labels';

/** Heights of cards in the picture, in canvas units. */
const HEIGHT: Record<CardKind, number> = { agent: 130, subagent: 90, hook: 90, mcp: 90, note: 110 };
/** Room around the cards, in canvas units. */
const MARGIN = 40;
/** The picture's own proportions; an agent alone is not drawn larger than this many units allow. */
const LEAST = { width: 900, height: 460 };
const CUT = 26;

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

function boxOf(card: Card): Box {
  const width = card.kind === 'note' ? card.item.width : CARD_WIDTH[card.kind];
  const height = card.kind === 'note' ? Math.min(card.item.height, 200) : HEIGHT[card.kind];
  return { ...card.position, width, height };
}

/** What part of the canvas the picture shows: all cards, and not closer than it takes to look calm. */
function frameOf(boxes: readonly Box[]): Box {
  const left = Math.min(...boxes.map(box => box.x));
  const top = Math.min(...boxes.map(box => box.y));
  const right = Math.max(...boxes.map(box => box.x + box.width));
  const bottom = Math.max(...boxes.map(box => box.y + box.height));
  const width = Math.max(LEAST.width, right - left + 2 * MARGIN);
  const height = Math.max(LEAST.height, bottom - top + 2 * MARGIN);
  return { x: (left + right - width) / 2, y: (top + bottom - height) / 2, width, height };
}

/** Outline of a card: rounded for agents, cut corners for hooks, a hexagon for servers. */
function Outline({ kind, box }: { kind: CardKind; box: Box }): JSX.Element {
  const { x, y, width, height } = box;
  const points = (list: number[][]) => list.map(point => point.join(',')).join(' ');
  if (kind === 'hook') {
    const [r, b] = [x + width, y + height];
    const corners = [
      [x + CUT, y],
      [r - CUT, y],
      [r, y + CUT],
      [r, b - CUT],
      [r - CUT, b],
      [x + CUT, b],
      [x, b - CUT],
      [x, y + CUT]
    ];
    return <polygon points={points(corners)} />;
  }
  if (kind === 'mcp') {
    const [r, b, middle] = [x + width, y + height, y + height / 2];
    const corners = [
      [x + CUT, y],
      [r - CUT, y],
      [r, middle],
      [r - CUT, b],
      [x + CUT, b],
      [x, middle]
    ];
    return <polygon points={points(corners)} />;
  }
  return <rect x={x} y={y} width={width} height={height} rx={kind === 'note' ? 6 : 18} />;
}

function Wires({ graph, boxes }: { graph: Graph; boxes: ReadonlyMap<string, Box> }): JSX.Element {
  return (
    <>
      {graph.edges.map(edge => {
        const [from, to] = [boxes.get(edge.source), boxes.get(edge.target)];
        if (!from || !to) {
          return null;
        }
        const rightwards = to.x + to.width / 2 >= from.x + from.width / 2;
        const [x1, x2] = rightwards ? [from.x + from.width, to.x] : [from.x, to.x + to.width];
        const [y1, y2] = [from.y + from.height / 2, to.y + to.height / 2];
        const bend = (x2 - x1) / 2;
        return (
          <path
            key={edge.id}
            className="ca-Picture-wire"
            data-kind={edge.kind}
            d={`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`}
          />
        );
      })}
    </>
  );
}

/** What the picture shows, in words. */
export function contents(trans: Translation, definition: Definition): string {
  const { subagents, hooks, mcps } = definition;
  const parts = [trans.__('1 agent')];
  if (subagents.length) {
    parts.push(trans._n('%1 subagent', '%1 subagents', subagents.length, subagents.length));
  }
  if (hooks.length) {
    parts.push(trans._n('%1 hook', '%1 hooks', hooks.length, hooks.length));
  }
  if (mcps.length) {
    parts.push(trans._n('%1 MCP server', '%1 MCP servers', mcps.length, mcps.length));
  }
  return parts.join(' · ');
}

/** Decorative: `contents` says the same in words. */
export function TemplatePicture({ definition }: { definition: Definition }): JSX.Element {
  const { graph, boxes, frame } = useMemo(() => {
    const drawn = graphOf(definition);
    const found = new Map(drawn.cards.map(card => [card.id, boxOf(card)]));
    // A note tells how it works; in a picture of this size it would only shrink the cards.
    const cards = drawn.cards.filter(card => card.kind !== 'note');
    const shown = cards.map(card => found.get(card.id)!);
    return { graph: { ...drawn, cards }, boxes: found, frame: frameOf(shown) };
  }, [definition]);
  return (
    <svg
      className="ca-Picture"
      viewBox={`${frame.x} ${frame.y} ${frame.width} ${frame.height}`}
      aria-hidden="true"
    >
      <Wires graph={graph} boxes={boxes} />
      {graph.cards.map(card => {
        const box = boxes.get(card.id)!;
        const x = box.x + 26;
        return (
          <g key={card.id} className="ca-Picture-card" data-kind={card.kind}>
            <Outline kind={card.kind} box={box} />
            <circle cx={x + 20} cy={box.y + 42} r={20} />
            <line x1={x + 56} x2={box.x + box.width - 50} y1={box.y + 34} y2={box.y + 34} />
            <line
              className="ca-mod-faint"
              x1={x + 56}
              x2={box.x + box.width - 96}
              y1={box.y + 56}
              y2={box.y + 56}
            />
            {card.kind === 'agent' && (
              <line
                className="ca-mod-faint"
                x1={x}
                x2={box.x + box.width - 40}
                y1={box.y + 98}
                y2={box.y + 98}
              />
            )}
          </g>
        );
      })}
    </svg>
  );
}
