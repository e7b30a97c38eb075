/**
 * Fields for a choice, for a list of lines, and for names with values. Each knows only its value.
 */
import { useState } from 'react';

import { useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

import { TextArea } from './fields';
import type { FieldProps } from './fieldScope';
import { Below, Framed, useControl } from './fieldScope';
import { asLines, linesEdited, linesOf } from './lines';
import { SecretMenu } from './SecretMenu';

export function SelectField<Value extends string>(
  props: FieldProps & {
    value: Value;
    options: { value: Value; label: string }[];
    onChange: (value: Value) => void;
  }
): JSX.Element {
  const { label, value, options, onChange } = props;
  const control = useControl(props);
  return (
    <Framed label={label} control={control}>
      <select
        id={control.id}
        value={value}
        aria-describedby={control.describedBy}
        aria-invalid={control.invalid || undefined}
        onChange={event => onChange(event.target.value as Value)}
      >
        {options.map(each => (
          <option key={each.value} value={each.value}>
            {each.label}
          </option>
        ))}
      </select>
    </Framed>
  );
}

/** A list of texts, one a line: no quoting, no escaping. An empty line is kept here until it holds something. */
export function LinesField(
  props: FieldProps & { value: readonly string[]; onChange: (value: string[]) => void }
): JSX.Element {
  const { value, onChange, ...rest } = props;
  const kept = asLines(value);
  const [text, setText] = useState(kept);
  // Undo and reload change the value from outside.
  const shown = asLines(linesOf(text)) === asLines(linesOf(kept)) ? text : kept;
  return (
    <TextArea
      {...rest}
      code
      value={shown}
      onChange={next => {
        setText(next);
        onChange(linesEdited(value, next));
      }}
    />
  );
}

type Pair = [name: string, value: string];

/** Names with values; a row without a name is kept here until it has one. */
export function PairsField(
  props: FieldProps & {
    value: Readonly<Record<string, string>>;
    nameLabel: string;
    valueLabel: string;
    /** What a value makes of a secret that is picked; without it, none is offered. */
    secret?: (name: string) => string;
    onChange: (value: Record<string, string>) => void;
  }
): JSX.Element {
  const { trans } = useUi();
  const { label, value, nameLabel, valueLabel, secret, onChange } = props;
  const control = useControl(props);
  const [rows, setRows] = useState<Pair[]>(() => Object.entries(value));
  const shown = JSON.stringify(Object.fromEntries(rows.filter(([name]) => name)));
  // Undo and reload change the value from outside.
  const now = shown === JSON.stringify(value) ? rows : Object.entries(value);
  const write = (next: Pair[]) => {
    setRows(next);
    onChange(Object.fromEntries(next.filter(([name]) => name)));
  };
  const change = (at: number, pair: Pair) => write(now.map((row, index) => (index === at ? pair : row)));
  return (
    <fieldset className="ca-Pairs" data-field={control.path} aria-describedby={control.describedBy}>
      <legend>{label}</legend>
      {now.map(([name, text], at) => (
        <div key={at} className="ca-Pair" data-secret={secret ? true : undefined}>
          <input
            type="text"
            aria-label={nameLabel}
            placeholder={nameLabel}
            value={name}
            spellCheck={false}
            data-lm-suppress-shortcuts="true"
            onChange={event => change(at, [event.target.value, text])}
          />
          <input
            type="text"
            aria-label={trans.__('%1 of %2', valueLabel, name || nameLabel)}
            placeholder={valueLabel}
            value={text}
            spellCheck={false}
            data-lm-suppress-shortcuts="true"
            onChange={event => change(at, [name, event.target.value])}
          />
          {secret && (
            <SecretMenu
              label={trans.__('Secret for %1', name || nameLabel)}
              onPick={picked => change(at, [name, secret(picked)])}
            />
          )}
          <button
            type="button"
            className="ca-Button"
            aria-label={trans.__('Remove %1', name || nameLabel)}
            onClick={() => write(now.filter((_, index) => index !== at))}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
      <button
        type="button"
        className="ca-Link"
        aria-label={trans.__('+ Add: %1', label)}
        onClick={() => setRows([...now, ['', '']])}
      >
        {trans.__('+ Add')}
      </button>
      <Below control={control} />
    </fieldset>
  );
}
