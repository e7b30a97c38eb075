/**
 * The minimap's picture: which part of the world it shows, and how it is painted.
 */
import type { Node, Rect } from '@xyflow/react';

export type BoxLook = 'card' | 'agent' | 'note' | 'lit';

export interface MapBox extends Rect {
  look: BoxLook;
}

/** The upper left corner of what the map shows, and CSS pixels for one unit of the canvas. */
export interface Frame {
  x: number;
  y: number;
  scale: number;
}

/** Free space around, as a share of the map. */
const MARGIN = 0.06;
/** Corners are round as long as that can be seen, in CSS pixels. */
const ROUND = 1.5;
const VARIABLE: Record<BoxLook, string> = {
  card: '--ca-muted',
  agent: '--ca-accent',
  lit: '--ca-accent',
  note: '--ca-note-edge'
};

export function boxesOf(nodes: readonly Node[], lit: ReadonlySet<string>): MapBox[] {
  return nodes.map(({ id, type, position, measured }) => ({
    ...position,
    width: measured?.width ?? 0,
    height: measured?.height ?? 0,
    look: lit.has(id) ? 'lit' : type === 'agent' || type === 'note' ? type : 'card'
  }));
}

/** Shows all boxes and all that is `seen`, as large as it goes, in the middle. */
export function frameOf(boxes: readonly Rect[], seen: Rect, size: { width: number; height: number }): Frame {
  let [left, top, right, bottom] = [seen.x, seen.y, seen.x + seen.width, seen.y + seen.height];
  for (const { x, y, width, height } of boxes) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x + width);
    bottom = Math.max(bottom, y + height);
  }
  const scale =
    (1 - 2 * MARGIN) *
    Math.min(size.width / Math.max(1, right - left), size.height / Math.max(1, bottom - top));
  return {
    x: (left + right) / 2 - size.width / scale / 2,
    y: (top + bottom) / 2 - size.height / scale / 2,
    scale
  };
}

/** Paint `boxes`, and a veil over all that is not `seen`. */
export function paint(
  canvas: HTMLCanvasElement,
  size: { width: number; height: number },
  { x, y, scale }: Frame,
  boxes: readonly MapBox[],
  seen: Rect
): void {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== size.width * ratio) {
    canvas.width = size.width * ratio;
    canvas.height = size.height * ratio;
  }
  const context = canvas.getContext('2d');
  if (!context) {
    return;
  }
  const style = getComputedStyle(canvas);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, size.width, size.height);
  for (const look of Object.keys(VARIABLE) as BoxLook[]) {
    context.beginPath();
    for (const box of boxes) {
      if (box.look === look) {
        const at = [(box.x - x) * scale, (box.y - y) * scale, box.width * scale, box.height * scale] as const;
        if (6 * scale > ROUND) {
          context.roundRect(...at, 6 * scale);
        } else {
          context.rect(...at);
        }
      }
    }
    context.globalAlpha = look === 'card' ? 0.45 : 1;
    context.fillStyle = style.getPropertyValue(VARIABLE[look]);
    context.fill();
  }
  context.beginPath();
  context.rect(0, 0, size.width, size.height);
  context.rect((seen.x - x) * scale, (seen.y - y) * scale, seen.width * scale, seen.height * scale);
  context.globalAlpha = 0.12;
  context.fillStyle = style.getPropertyValue('--ca-muted');
  context.fill('evenodd');
  context.globalAlpha = 0.8;
  context.lineWidth = 1;
  context.strokeStyle = style.getPropertyValue('--ca-accent');
  context.strokeRect((seen.x - x) * scale, (seen.y - y) * scale, seen.width * scale, seen.height * scale);
  context.globalAlpha = 1;
}
