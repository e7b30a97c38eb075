/**
 * Choosing a model: a list with price, context size and what each can do; any other id may be written.
 */
import { useEffect, useId, useRef, useState } from 'react';
import type { KeyboardEvent } from 'react';

import type { ModelRow } from '../api/types';
import { useProject, useUi } from '../ui/context';
import { money, tokens } from '../ui/format';
import type { Translation } from '../ui/labels';

import { Below, useControl } from './fieldScope';

function priceOf(trans: Translation, model: ModelRow): string {
  return model.price
    ? trans.__('%1 in · %2 out', money(model.price.input), money(model.price.output))
    : trans.__('price unknown');
}

/** What a model can do, in words. */
export function abilitiesOf(trans: Translation, model: ModelRow): string[] {
  return [
    trans.__('%1 context', tokens(model.context_window)),
    trans.__('%1 reply', tokens(model.max_output_tokens)),
    ...(model.thinking === 'always' ? [trans.__('always thinks')] : []),
    ...(model.thinking === 'optional' ? [trans.__('can think')] : []),
    ...(model.sees ? [trans.__('sees pictures')] : [])
  ];
}

interface Props {
  value: string;
  placeholder?: string;
  name?: string;
  onChange: (value: string) => void;
}

function Options(props: {
  id: string;
  models: readonly ModelRow[];
  at: number;
  chosen: string;
  onAt: (at: number) => void;
  onPick: (model: ModelRow) => void;
}): JSX.Element {
  const { id, models, at, chosen, onAt, onPick } = props;
  const { trans } = useUi();
  return (
    <ul id={`${id}-list`} className="ca-Models" role="listbox" aria-label={trans.__('Models')}>
      {models.map((model, index) => (
        // The field has the keys.
        // eslint-disable-next-line jsx-a11y/click-events-have-key-events
        <li
          key={model.id}
          id={`${id}-${index}`}
          role="option"
          tabIndex={-1}
          aria-selected={index === at}
          data-chosen={model.id === chosen || undefined}
          onMouseMove={() => onAt(index)}
          // Before the field loses the focus, which closes the list.
          onMouseDown={event => event.preventDefault()}
          onClick={() => onPick(model)}
        >
          <span className="ca-Models-name">
            <strong>{model.name}</strong>
            <span title={trans.__('US dollars per million tokens, in and out')}>
              {model.price
                ? `${money(model.price.input)} / ${money(model.price.output)}`
                : trans.__('price unknown')}
            </span>
          </span>
          <span className="ca-Models-about">{abilitiesOf(trans, model).join(' · ')}</span>
        </li>
      ))}
    </ul>
  );
}

export function ModelField({ value, placeholder, name = 'model', onChange }: Props): JSX.Element {
  const { trans } = useUi();
  const served = useProject(state => state.models?.items);
  const all = served ?? [];
  const known = all.find(each => each.id === value);
  const about = known
    ? [priceOf(trans, known), ...abilitiesOf(trans, known)].join(' · ')
    : value && served
      ? trans.__('Not among the models that this server knows: its price and size are unknown.')
      : undefined;
  const label = trans.__('Model');
  const control = useControl({ label, name, help: about });
  const id = useId();
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  // A whole id is a choice that was made, and no word to search for.
  const words = known ? '' : value.toLowerCase();
  const found = all.filter(each => `${each.id} ${each.name}`.toLowerCase().includes(words));
  const pick = (model: ModelRow) => {
    onChange(model.id);
    setOpen(false);
    input.current?.focus();
  };
  const show = () => {
    setAt(
      Math.max(
        0,
        found.findIndex(each => each.id === value)
      )
    );
    setOpen(true);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && !open) {
      show();
    } else if (step && found.length) {
      const next = (at + step + found.length) % found.length;
      setAt(next);
      document.getElementById(`${id}-${next}`)?.scrollIntoView?.({ block: 'nearest' });
    } else if (event.key === 'Enter' && open && found[at]) {
      pick(found[at]);
    } else if (event.key === 'Escape' && open) {
      setOpen(false);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const listed = open && found.length > 0;
  useEffect(() => {
    // In a low form the list would begin where the form ends.
    const form = input.current?.closest('.ca-Properties-form');
    const list = document.getElementById(`${id}-list`);
    if (listed && form && list && list.getBoundingClientRect().bottom > form.getBoundingClientRect().bottom) {
      form.scrollTop += input.current!.getBoundingClientRect().top - form.getBoundingClientRect().top - 4;
    }
  }, [listed, id]);
  return (
    <div className="ca-Field ca-ModelField" data-field={control.path}>
      <label htmlFor={control.id}>{label}</label>
      <input
        ref={input}
        id={control.id}
        type="text"
        role="combobox"
        aria-expanded={listed}
        aria-controls={`${id}-list`}
        aria-activedescendant={listed && found[at] ? `${id}-${at}` : undefined}
        aria-describedby={control.describedBy}
        aria-invalid={control.invalid || undefined}
        autoComplete="off"
        spellCheck={false}
        data-lm-suppress-shortcuts="true"
        placeholder={placeholder}
        value={value}
        onClick={show}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
        onChange={event => {
          onChange(event.target.value);
          setAt(0);
          setOpen(true);
        }}
      />
      {listed && <Options id={id} models={found} at={at} chosen={value} onAt={setAt} onPick={pick} />}
      <Below control={control} />
    </div>
  );
}
