/**
 * Placeholders in prompts: where they stand, what they are, and the text with values in their places. Pure.
 */
import type { Definition } from '../api/types';

/** Always there, whatever the project declares. */
export const BUILT_IN = ['timestamp', 'project_name', 'execution_id'] as const;

const PLACE = /\{\{\s*(secret:\s*)?([A-Za-z_][A-Za-z0-9_]{0,127})\s*\}\}/g;

/** `known`: declared; `built-in`; `unknown`: nobody declared it; `secret`: refused in prompts. */
export type PlaceKind = 'known' | 'built-in' | 'unknown' | 'secret';

export interface Place {
  from: number;
  to: number;
  name: string;
  kind: PlaceKind;
}

export function kindOf(name: string, secret: boolean, declared: ReadonlySet<string>): PlaceKind {
  if (secret) {
    return 'secret';
  }
  return declared.has(name)
    ? 'known'
    : (BUILT_IN as readonly string[]).includes(name)
      ? 'built-in'
      : 'unknown';
}

export function placesIn(text: string, declared: ReadonlySet<string>): Place[] {
  return [...text.matchAll(PLACE)].map(match => ({
    from: match.index,
    to: match.index + match[0].length,
    name: match[2],
    kind: kindOf(match[2], match[1] !== undefined, declared)
  }));
}

export interface Piece {
  text: string;
  /** Name of the variable that the text is the value of, or stands for; null for what was written. */
  name: string | null;
  /** Whether it has a value. */
  filled: boolean;
}

/** `text` as a model would read it with `values`: what has none stands as it is written. */
export function filledIn(text: string, values: Readonly<Record<string, string>>): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const { from, to, name, kind } of placesIn(text, new Set(Object.keys(values)))) {
    if (from > at) {
      pieces.push({ text: text.slice(at, from), name: null, filled: true });
    }
    const value = kind === 'known' ? values[name] : undefined;
    pieces.push({ text: value ?? text.slice(from, to), name, filled: value !== undefined });
    at = to;
  }
  if (at < text.length) {
    pieces.push({ text: text.slice(at), name: null, filled: true });
  }
  return pieces;
}

/** Values to preview with: those of the last run, else defaults, and the project's name. */
export function previewValues(
  definition: Definition,
  last: Readonly<Record<string, string>>
): Record<string, string> {
  const values: Record<string, string> = { project_name: definition.name };
  for (const [name, variable] of Object.entries(definition.variables)) {
    const value = last[name] ?? variable.default;
    if (value !== null && value !== undefined) {
      values[name] = value;
    }
  }
  return values;
}
