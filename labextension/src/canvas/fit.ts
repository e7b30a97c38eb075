/**
 * Which part of the canvas is seen while nobody has moved it: pure.
 *
 * All cards and notes while they can be read; when there is no room for that, cards without notes; when
 * there is none for that either, as far away as it takes (a card far away is icon, state and name).
 */
import type { Rect, Viewport } from '@xyflow/react';
import { getViewportForBounds } from '@xyflow/react';

/** Below this zoom a card is icon, name and state only. */
export const FAR = 0.58;
/** Below this one there is room for a few letters and a colour only. */
export const FARTHER = 0.36;
/** Least zoom at which all of a card can be read. */
export const READABLE = 0.6;
/** No card is drawn larger than this by itself. */
const NEAREST = 1;
/** Farther away even names are gone. */
const FARTHEST = 0.2;
/** How much room a canvas has for what floats on it: its own width decides, never the window's. */
export type Room = 'wide' | 'middle' | 'narrow';

/** Least widths, in CSS pixels, for the palette with names, and for the palette at all. */
const WIDE = 860;
const MIDDLE = 620;

export function roomOf(width: number): Room {
  // 0: not measured yet.
  return width === 0 || width >= WIDE ? 'wide' : width >= MIDDLE ? 'middle' : 'narrow';
}

/** Space kept free around the cards, in CSS pixels: for the palette, and below for controls and run pill. */
const BESIDE: Record<Room, number> = { wide: 148, middle: 68, narrow: 52 };
const padding = (width: number) =>
  ({ top: '24px', left: `${BESIDE[roomOf(width)]}px`, right: '24px', bottom: '60px' }) as const;

/** How much of a card can be read at `zoom`; undefined: all of it. */
export function farness(zoom: number): 'far' | 'farther' | undefined {
  return zoom < FARTHER ? 'farther' : zoom < FAR ? 'far' : undefined;
}

/** What letters of cards far away are sized by: steps, so that a zoom draws them anew now and then only. */
export function scaleOf(zoom: number): number {
  return zoom < FAR ? Math.max(0.1, Math.round(zoom * 20) / 20) : 1;
}

/** A card as it stands, in canvas units. */
export interface Box extends Rect {
  id: string;
  note: boolean;
}

export interface Size {
  width: number;
  height: number;
}

function around(boxes: readonly Box[]): Rect {
  const x = Math.min(...boxes.map(box => box.x));
  const y = Math.min(...boxes.map(box => box.y));
  return {
    x,
    y,
    width: Math.max(...boxes.map(box => box.x + box.width)) - x,
    height: Math.max(...boxes.map(box => box.y + box.height)) - y
  };
}

/** The view that shows `boxes` best in a canvas of `size` CSS pixels. */
export function viewFor(boxes: readonly Box[], { width, height }: Size): Viewport {
  const view = (shown: readonly Box[]) =>
    getViewportForBounds(around(shown), width, height, FARTHEST, NEAREST, padding(width));
  const whole = view(boxes);
  const cards = boxes.filter(box => !box.note);
  return whole.zoom >= READABLE || !cards.length ? whole : view(cards);
}

/** Whether every box lies inside the canvas as `view` shows it. */
export function allSeen(boxes: readonly Box[], { width, height }: Size, { x, y, zoom }: Viewport): boolean {
  return boxes.every(
    box =>
      box.x * zoom + x >= 0 &&
      box.y * zoom + y >= 0 &&
      (box.x + box.width) * zoom + x <= width &&
      (box.y + box.height) * zoom + y <= height
  );
}
