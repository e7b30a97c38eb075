/**
 * Words for the fields of a definition and for their values: literal strings, so that extraction finds them.
 */
import type { Definition } from '../api/types';
import type { Place } from '../graph/differences';
import { cardOf, fieldOf } from '../graph/differences';
import { cardName } from '../graph/graph';

import type { Translation } from './labels';

/** A field by its last name; what has no word of its own is called as in the project's files. */
function word(trans: Translation, name: string): string {
  switch (name) {
    case 'name':
      return trans.__('Name');
    case 'description':
      return trans.__('Description');
    case 'model':
      return trans.__('Model');
    case 'system_prompt':
      return trans.__('System prompt');
    case 'prompt':
      return trans.__('Prompt');
    case 'task':
      return trans.__('Task');
    case 'text':
      return trans.__('Text');
    case 'tools':
      return trans.__('Tools');
    case 'enabled_tools':
      return trans.__('Tools that it offers');
    case 'permissions':
      return trans.__('Permissions');
    case 'subagents':
      return trans.__('Subagents');
    case 'hooks':
      return trans.__('Hooks');
    case 'mcps':
      return trans.__('MCP servers');
    case 'notes':
      return trans.__('Notes');
    case 'variables':
      return trans.__('Variables');
    case 'default':
      return trans.__('Default');
    case 'required':
      return trans.__('A run needs a value');
    case 'limits':
      return trans.__('Limits');
    case 'max_cost_usd':
      return trans.__('Cost limit in US dollars');
    case 'max_tokens':
      return trans.__('Most tokens');
    case 'timeout_s':
      return trans.__('Time limit in seconds');
    case 'max_turns':
      return trans.__('Most turns');
    case 'queue':
      return trans.__('Queue');
    case 'event':
      return trans.__('Event');
    case 'matcher':
      return trans.__('Tools that it watches');
    case 'action':
      return trans.__('What it does');
    case 'command':
      return trans.__('Command');
    case 'args':
      return trans.__('Arguments');
    case 'env':
      return trans.__('Environment');
    case 'headers':
      return trans.__('Headers');
    case 'credentials':
      return trans.__('Secrets');
    case 'url':
      return trans.__('Address');
    case 'transport':
      return trans.__('Reached by');
    case 'width':
      return trans.__('Width');
    case 'height':
      return trans.__('Height');
    case 'enabled':
      return trans.__('Switched on');
    case 'effort':
      return trans.__('Effort');
    case 'thinking':
      return trans.__('Thinking');
    case 'folders':
      return trans.__('Folders');
    case 'network':
      return trans.__('Network');
    case 'notebook':
      return trans.__('Notebook');
    case 'simulate':
      return trans.__('Always use the simulated model');
    case 'output_schema':
      return trans.__('Schema of the answer');
    default:
      return name;
  }
}

/** A field inside its card: `Prompt`, `Environment › LANG`. */
export function fieldLabel(trans: Translation, place: Place, kind: 'value' | 'order' = 'value'): string {
  const field = fieldOf(place);
  if (kind === 'order') {
    return trans.__('Order of %1', word(trans, field[field.length - 1] ?? ''));
  }
  // Names inside a map (a variable, an environment variable, a tool) are the person's own words.
  const own = ['variables', 'env', 'headers', 'credentials', 'permissions'].includes(field[0]) ? 1 : -1;
  return field.map((each, index) => (index === own ? each : word(trans, each))).join(' › ');
}

/** What a card is called in any of `definitions`: what was removed has a name only in the older one. */
export function cardLabel(card: string, ...definitions: Definition[]): string {
  const id = card.slice(card.indexOf(':') + 1);
  for (const definition of definitions) {
    const name = cardName(definition, card);
    if (name !== id) {
      return name;
    }
    const note = definition.ui.notes.find(each => `note:${each.id}` === card);
    if (note) {
      return note.text.split('\n')[0].replace(/^#+\s*/, '') || id;
    }
  }
  return id;
}

/** What a field belongs to: its card, or the project. */
export function ownerLabel(trans: Translation, place: Place, ...definitions: Definition[]): string {
  const card = cardOf(place);
  return card === null ? trans.__('Project') : cardLabel(card, ...definitions);
}

/** A value as people read it; null where it is not there at all. */
export function shownValue(trans: Translation, value: unknown): string | null {
  if (value === undefined) {
    return null;
  }
  if (value === null || value === '') {
    return trans.__('none');
  }
  if (typeof value === 'boolean') {
    return value ? trans.__('yes') : trans.__('no');
  }
  if (Array.isArray(value) && value.every(each => typeof each === 'string')) {
    return value.length ? value.join(', ') : trans.__('none');
  }
  return typeof value === 'object' ? JSON.stringify(value, null, 2) : String(value);
}

/** Whether a value is prose that is better compared word by word. */
export function isProse(value: unknown): value is string {
  return typeof value === 'string' && (value.includes('\n') || value.length > 80);
}
