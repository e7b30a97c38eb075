/**
 * Finding cards by what is written on them or in them. Pure.
 */
import type { Definition } from '../api/types';

import type { Card } from './graph';
import { cardName } from './graph';

export interface Found {
  card: Card;
  name: string;
  /** Piece of text around the words that were found, where that is not the name. */
  excerpt: string | null;
}

/** Characters shown around what was found. */
const AROUND = 24;

/** Texts of a card besides its name, the telling ones first. */
function textsOf(card: Card): string[] {
  switch (card.kind) {
    case 'agent':
      return [card.item.model, card.item.tools.join(' · '), card.item.task, card.item.system_prompt];
    case 'subagent':
      return [
        card.item.id,
        card.item.model ?? '',
        card.item.tools.join(' · '),
        card.item.description,
        card.item.prompt
      ];
    case 'hook': {
      const { action } = card.item;
      const does = action.type === 'http' ? action.url : action.command.join(' ');
      return [card.item.id, card.item.event, card.item.matcher, does];
    }
    case 'mcp':
      return [card.item.id, card.item.command ?? '', card.item.args.join(' '), card.item.url ?? ''];
    case 'note':
      return [card.item.text];
  }
}

function excerptOf(text: string, at: number, length: number): string {
  const from = Math.max(0, at - AROUND);
  const until = Math.min(text.length, at + length + AROUND);
  const piece = text.slice(from, until).replace(/\s+/g, ' ').trim();
  return `${from ? '…' : ''}${piece}${until < text.length ? '…' : ''}`;
}

/** A note has no name; its first line stands for it. */
export function titleOf(definition: Definition, card: Card): string {
  return card.kind === 'note'
    ? card.item.text.split('\n')[0].replace(/^#+\s*/, '') || card.item.id
    : cardName(definition, card.id);
}

/** Cards that hold `words`: names that begin with them, names that hold them, then texts. Empty finds all. */
export function find(definition: Definition, cards: readonly Card[], words: string): Found[] {
  const wanted = words.trim().toLowerCase();
  const ranked = cards.flatMap((card): { rank: number; found: Found }[] => {
    const name = titleOf(definition, card);
    const at = name.toLowerCase().indexOf(wanted);
    if (at >= 0) {
      return [{ rank: at === 0 ? 0 : 1, found: { card, name, excerpt: null } }];
    }
    for (const text of textsOf(card)) {
      const inText = text.toLowerCase().indexOf(wanted);
      if (inText >= 0) {
        return [{ rank: 2, found: { card, name, excerpt: excerptOf(text, inText, wanted.length) } }];
      }
    }
    return [];
  });
  return ranked.sort((a, b) => a.rank - b.rank).map(each => each.found);
}
