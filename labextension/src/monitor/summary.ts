/**
 * One line for a tool call and one for what it gave back: pure.
 */
import type { OutputPart } from '../api/types';
import { firstLine, plain } from '../ui/format';

/** Input fields that say most, by the names that tools use. */
const TELLING = ['command', 'code', 'pattern', 'query', 'path', 'url', 'task', 'prompt'];

/** The input of a call as one line. */
export function inputLine(input: Record<string, unknown>): string {
  for (const field of TELLING) {
    const value = input[field];
    if (typeof value === 'string' && value.trim()) {
      const lines = value
        .trim()
        .split('\n')
        .filter(line => line.trim() && !/^\s*(#|import |from )/.test(line));
      return (lines[0] ?? firstLine(value)).trim();
    }
  }
  return Object.keys(input).length ? JSON.stringify(input) : '';
}

/** The input of a call in full: the telling field as it is, the rest as JSON. */
export function inputText(input: Record<string, unknown>): string {
  const entries = Object.entries(input);
  const [field, value] = entries.length === 1 ? entries[0] : ['', null];
  return TELLING.includes(field) && typeof value === 'string' ? value : JSON.stringify(input, null, 2);
}

/** What came back, as one line; pictures speak for themselves. */
export function outputLine(output: readonly OutputPart[]): string {
  for (const part of output) {
    if (part.type === 'text' && part.text.trim()) {
      const lines = plain(part.text)
        .trim()
        .split('\n')
        .map(line => line.trim())
        .filter(Boolean);
      return lines.length > 1 ? `${lines[0]} … ${lines[lines.length - 1]}` : lines[0];
    }
    if (part.type === 'file') {
      return part.path;
    }
  }
  return '';
}
