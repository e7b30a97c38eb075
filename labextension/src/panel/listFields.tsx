/**
 * Fields for a choice, for a list of lines, and for names with values. Each knows only its value.
 */
import { useId, useState } from 'react';

import { useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

import type { FieldProps } from './fields';
import { Field, TextArea } from './fields';

export function SelectField<Value extends string>(
  props: FieldProps & {
    value: Value;
    options: { value: Value; label: string }[];
    onChange: (value: Value) => void;
  }
): JSX.Element {
  const id = useId();
  const { value, options, onChange, help } = props;
  return (
    <Field {...props} id={id}>
      <select
        id={id}
        value={value}
        aria-describedby={help ? `${id}-help` : undefined}
        onChange={event => onChange(event.target.value as Value)}
      >
        {options.map(each => (
          <option key={each.value} value={each.value}>
            {each.label}
          </option>
        ))}
      </select>
    </Field>
  );
}

/** The lines of `text` that hold something. */
function linesOf(text: string): string[] {
  return text.split('\n').filter(line => line.trim() !== '');
}

/** A list of texts, one a line: no quoting, no escaping. An empty line is kept here until it holds something. */
export function LinesField(
  props: FieldProps & { value: readonly string[]; onChange: (value: string[]) => void }
): JSX.Element {
  const { value, onChange, ...rest } = props;
  const [text, setText] = useState(value.join('\n'));
  const kept = value.filter(line => line.trim() !== '').join('\n');
  // Undo and reload change the value from outside.
  const shown = linesOf(text).join('\n') === kept ? text : kept;
  return (
    <TextArea
      {...rest}
      code
      value={shown}
      onChange={next => {
        setText(next);
        onChange(linesOf(next));
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
    /** Values to choose from. */
    options?: readonly string[];
    onChange: (value: Record<string, string>) => void;
  }
): JSX.Element {
  const { trans } = useUi();
  const id = useId();
  const { label, help, value, nameLabel, valueLabel, options, onChange } = props;
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
    <fieldset className="ca-Pairs" aria-describedby={help ? `${id}-help` : undefined}>
      <legend>{label}</legend>
      {now.map(([name, text], at) => (
        <div key={at} className="ca-Pair">
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
            list={options ? `${id}-options` : undefined}
            data-lm-suppress-shortcuts="true"
            onChange={event => change(at, [name, event.target.value])}
          />
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
      {options && (
        <datalist id={`${id}-options`}>
          {options.map(each => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
      <button type="button" className="ca-Link" onClick={() => setRows([...now, ['', '']])}>
        {trans.__('+ Add')}
      </button>
      {help && (
        <p id={`${id}-help`} className="ca-Field-help">
          {help}
        </p>
      )}
    </fieldset>
  );
}
