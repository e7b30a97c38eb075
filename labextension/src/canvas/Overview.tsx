/**
 * The minimap: where things are, which of them run now, and what is seen; drag it to look elsewhere.
 *
 * Drawn by hand some times a second: React Flow's own is drawn anew with each frame of a pan, and asks every
 * card about it.
 */
import type { ReactFlowState } from '@xyflow/react';
import { Panel, useReactFlow, useStoreApi } from '@xyflow/react';
import { useEffect, useMemo, useRef } from 'react';
import type { PointerEvent, WheelEvent } from 'react';

import { useProject, useUi } from '../ui/context';

import type { Frame } from './mapPicture';
import { boxesOf, frameOf, paint } from './mapPicture';

/** Size in CSS pixels. */
const SIZE = { width: 130, height: 84 };
/** Least time between two drawings, in milliseconds. */
const AGAIN_MS = 90;
/** How much one notch of the wheel zooms. */
const WHEEL = 0.002;

/** What of React Flow's state is drawn. */
function drawnOf({ nodes, transform, width, height }: ReactFlowState): unknown[] {
  return [nodes, transform, width, height];
}

export function Overview({ moved }: { moved: () => void }): JSX.Element {
  const { trans, theme } = useUi();
  const flow = useReactFlow();
  const store = useStoreApi();
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<Frame | null>(null);
  const running = useProject(state =>
    Object.entries(state.monitor?.cards ?? {})
      .filter(([, run]) => run.endedAt === null)
      .map(([id]) => id)
      .join(' ')
  );
  const lit = useMemo(() => new Set(running.split(' ')), [running]);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let drawn: unknown[] = [];
    const draw = () => {
      timer = undefined;
      const node = canvas.current;
      const state = store.getState();
      drawn = drawnOf(state);
      if (node) {
        const [x, y, zoom] = state.transform;
        const seen = { x: -x / zoom, y: -y / zoom, width: state.width / zoom, height: state.height / zoom };
        const boxes = boxesOf(state.nodes, lit);
        frame.current = frameOf(boxes, seen, SIZE);
        paint(node, SIZE, frame.current, boxes, seen);
      }
    };
    const soon = () => {
      if (timer === undefined && drawnOf(store.getState()).some((each, index) => each !== drawn[index])) {
        timer = setTimeout(draw, AGAIN_MS);
      }
    };
    draw();
    const stop = store.subscribe(soon);
    return () => {
      stop();
      clearTimeout(timer);
    };
    // The theme's colours are read when it is drawn.
  }, [store, lit, theme]);

  const look = (event: PointerEvent<HTMLCanvasElement>) => {
    const at = frame.current;
    const box = event.currentTarget.getBoundingClientRect();
    if (at) {
      const x = at.x + (event.clientX - box.left) / at.scale;
      const y = at.y + (event.clientY - box.top) / at.scale;
      void flow.setCenter(x, y, { zoom: flow.getZoom() }).then(moved);
    }
  };
  const onWheel = (event: WheelEvent) =>
    void flow.zoomTo(flow.getZoom() * 2 ** (-event.deltaY * WHEEL)).then(moved);
  return (
    <Panel position="bottom-right" className="ca-Map">
      <canvas
        ref={canvas}
        role="img"
        aria-label={trans.__('Overview of the canvas')}
        onPointerDown={event => {
          event.currentTarget.setPointerCapture(event.pointerId);
          look(event);
        }}
        onPointerMove={event => event.buttons === 1 && look(event)}
        onWheel={onWheel}
      />
    </Panel>
  );
}
