/**
 * Search to a card: words, a list of what holds them, Enter goes there.
 */
import { useEffect, useId, useMemo, useRef, useState } from 'react';
import type { KeyboardEvent } from 'react';

import type { Definition } from '../api/types';
import { find } from '../graph/find';
import { graphOf } from '../graph/graph';
import { useActions, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';
import { kindLabel } from '../ui/labels';

/** More are not listed; whoever sees so many writes another letter. */
const MOST = 50;

export function Search({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const [words, setWords] = useState('');
  const [at, setAt] = useState(0);
  const all = useMemo(() => find(definition, graphOf(definition).cards, words), [definition, words]);
  const found = all.slice(0, MOST);
  useEffect(() => input.current?.focus(), []);
  useEffect(() => {
    list.current?.children[at]?.scrollIntoView?.({ block: 'nearest' });
  }, [at]);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      setAt((at + step + found.length) % found.length);
    } else if (event.key === 'Enter' && found[at]) {
      actions.seek(found[at].card.id);
    } else if (event.key === 'Escape') {
      actions.search(false);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="ca-Search" role="search">
      <span className="ca-Search-field">
        <Icon name="search" />
        <input
          ref={input}
          type="text"
          role="combobox"
          aria-expanded={found.length > 0}
          aria-controls={`${id}-list`}
          aria-activedescendant={found[at] ? `${id}-${at}` : undefined}
          aria-label={trans.__('Find a card')}
          placeholder={trans.__('Find a card')}
          spellCheck={false}
          autoComplete="off"
          data-lm-suppress-shortcuts="true"
          value={words}
          onChange={event => {
            setWords(event.target.value);
            setAt(0);
          }}
          onKeyDown={onKeyDown}
        />
        <span className="ca-Search-count" role="status">
          {trans._n('%1 card', '%1 cards', all.length, all.length)}
        </span>
        <button
          type="button"
          className="ca-Button"
          aria-label={trans.__('Close the search')}
          onClick={() => actions.search(false)}
        >
          <Icon name="close" />
        </button>
      </span>
      <ul id={`${id}-list`} ref={list} role="listbox" aria-label={trans.__('Cards found')}>
        {found.map(({ card, name, excerpt }, index) => (
          // The field above has the keys; here is only the mouse.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events
          <li
            key={card.id}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            data-kind={card.kind}
            onMouseMove={() => setAt(index)}
            onClick={() => actions.seek(card.id)}
          >
            <Icon name={card.kind} />
            <span className="ca-Clip">{name}</span>
            <span className="ca-Search-about ca-Clip">{excerpt ?? kindLabel(trans, card.kind)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
