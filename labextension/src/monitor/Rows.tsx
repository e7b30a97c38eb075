/**
 * The rows of the tree: all of a short one, of a long one only the pieces in view and around it.
 *
 * A piece is as high as it was when it was last drawn, so that the scroll bar stays honest. Rows differ in
 * height and grow, which is why pieces are watched by the browser and not computed (`useNearness.ts`).
 */
import { memo, useRef } from 'react';
import type { RefObject } from 'react';

import type { Row } from '../stores/rows';

import { sameRow, StepRow } from './StepRow';
import { useNear, useWatch } from './useNearness';
import type { Watch } from './useNearness';

/** Rows in a piece: so few that a jump into the middle is drawn within a frame. */
export const PIECE = 20;
/** Up to so many rows all are drawn. */
export const ALL = 160;
/** Height of a row that was never drawn, in CSS pixels. */
const ROW_PX = 30;

interface PieceProps {
  rows: readonly Row[];
  /** Index of the first row among all. */
  start: number;
  /** Index of the row that keys go to, and of the one that is marked; -1 when they are elsewhere. */
  focused: number;
  marked: number;
  watch: Watch;
  /** Drawn wherever the view is: the newest piece, and the one with the focus. */
  always: boolean;
}

const Piece = memo(
  function Piece({ rows, start, focused, marked, watch, always }: PieceProps): JSX.Element {
    const node = useRef<HTMLDivElement>(null);
    const { near, height } = useNear(node, watch, always);
    const drawn = near || always;
    return (
      <div
        ref={node}
        role="presentation"
        style={drawn ? undefined : { height: height ?? rows.length * ROW_PX }}
      >
        {drawn &&
          rows.map((row, index) => (
            <StepRow
              key={row.step.id}
              row={row}
              index={start + index}
              focused={start + index === focused}
              marked={start + index === marked}
            />
          ))}
      </div>
    );
  },
  (a, b) =>
    a.start === b.start &&
    a.focused === b.focused &&
    a.marked === b.marked &&
    a.watch === b.watch &&
    a.always === b.always &&
    a.rows.length === b.rows.length &&
    a.rows.every((row, index) => sameRow(row, b.rows[index]))
);

interface Props {
  rows: readonly Row[];
  focused: number;
  marked: number;
  scroller: RefObject<HTMLElement>;
}

function Pieces({ rows, focused, marked, scroller }: Props): JSX.Element {
  const watch = useWatch(scroller);
  const starts = Array.from({ length: Math.ceil(rows.length / PIECE) }, (_, piece) => piece * PIECE);
  return (
    <>
      {starts.map(start => {
        const within = (index: number) => index >= start && index < start + PIECE;
        const inside = within(focused);
        return (
          <Piece
            key={start}
            rows={rows.slice(start, start + PIECE)}
            start={start}
            focused={inside ? focused : -1}
            marked={within(marked) ? marked : -1}
            watch={watch}
            always={inside || start + PIECE >= rows.length}
          />
        );
      })}
    </>
  );
}

export function Rows(props: Props): JSX.Element {
  const { rows, focused, marked } = props;
  if (rows.length > ALL) {
    return <Pieces {...props} />;
  }
  return (
    <>
      {rows.map((row, index) => (
        <StepRow
          key={row.step.id}
          row={row}
          index={index}
          focused={index === focused}
          marked={index === marked}
        />
      ))}
    </>
  );
}
