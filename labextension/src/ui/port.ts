/**
 * What views ask of the shell around them: a menu, a question, a file to keep. Lab's own ones in the
 * browser (`widgets/shellPort.ts`), plain ones in tests.
 */
import type { GlyphName } from './glyphs';

export interface MenuEntry {
  label: string;
  caption?: string;
  icon?: GlyphName;
  disabled?: boolean;
  /** A line above it. */
  parted?: boolean;
  /** Entries of a menu of its own. */
  entries?: readonly MenuEntry[];
  run?: () => unknown;
}

/** A place in the window, in CSS pixels. */
export interface Place {
  x: number;
  y: number;
}

export interface Question {
  title: string;
  body: string;
  /** The button that says yes. */
  accept: string;
  /** Whether saying yes loses something. */
  danger?: boolean;
}

export interface ShellPort {
  openMenu(entries: readonly MenuEntry[], at: Place): void;
  confirm(question: Question): Promise<boolean>;
  /** Hand a file to the browser's downloads. */
  keep(name: string, blob: Blob): void;
  /** Load the whole page anew. */
  reload(): void;
}
