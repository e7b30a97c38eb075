/**
 * Form fields: label, control, help line. Each knows only its value.
 */
import { useState } from 'react';
import type { ReactNode } from 'react';

import type { FieldProps } from './fieldScope';
import { Below, Framed, useControl } from './fieldScope';

/** A control of another kind in the frame of a field. */
export function Field(props: { id: string; label: string; help?: string; children: ReactNode }): JSX.Element {
  return (
    <div className="ca-Field">
      <label htmlFor={props.id}>{props.label}</label>
      {props.children}
      {props.help && (
        <p id={`${props.id}-help`} className="ca-Field-help">
          {props.help}
        </p>
      )}
    </div>
  );
}

export function TextField(
  props: FieldProps & {
    value: string;
    onChange: (value: string) => void;
    options?: { value: string; label: string }[];
    placeholder?: string;
    /** Somebody has written it and goes on. */
    onDone?: () => void;
  }
): JSX.Element {
  const { label, value, onChange, onDone, options, placeholder } = props;
  const control = useControl(props);
  const { id } = control;
  return (
    <Framed label={label} control={control}>
      <input
        id={id}
        type="text"
        value={value}
        placeholder={placeholder}
        list={options ? `${id}-options` : undefined}
        aria-describedby={control.describedBy}
        aria-invalid={control.invalid || undefined}
        data-lm-suppress-shortcuts="true"
        spellCheck={false}
        onChange={event => onChange(event.target.value)}
        onBlur={onDone}
      />
      {options && (
        <datalist id={`${id}-options`}>
          {options.map(each => (
            <option key={each.value} value={each.value}>
              {each.label}
            </option>
          ))}
        </datalist>
      )}
    </Framed>
  );
}

/** Fewest and most lines that a text shows before it scrolls. */
const LINES = { least: 3, most: 14 };

export function TextArea(
  props: FieldProps & {
    value: string;
    onChange: (value: string) => void;
    code?: boolean;
    placeholder?: string;
  }
): JSX.Element {
  const { label, value, onChange, code, placeholder } = props;
  const control = useControl(props);
  // Long lines wrap; about 34 characters fit the panel.
  const lines = value.split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 34)), 0);
  return (
    <Framed label={label} control={control}>
      <textarea
        id={control.id}
        className={code ? 'ca-mod-code' : undefined}
        rows={Math.min(LINES.most, Math.max(LINES.least, lines))}
        value={value}
        placeholder={placeholder}
        aria-describedby={control.describedBy}
        aria-invalid={control.invalid || undefined}
        data-lm-suppress-shortcuts="true"
        onChange={event => onChange(event.target.value)}
      />
    </Framed>
  );
}

export function NumberField(
  props: FieldProps & {
    value: number | null;
    unit: string;
    min: number;
    step?: number | 'any';
    /** Whether it may be left empty (null). */
    optional?: boolean;
    placeholder?: string;
    onChange: (value: number | null) => void;
  }
): JSX.Element {
  const { label, value, unit, min, step = 1, optional, placeholder, onChange } = props;
  const control = useControl(props);
  // What is being written and is no number yet: emptied, for instance, to write another one.
  const [text, setText] = useState<string | null>(null);
  const writing = text !== null && (text === '' || Number(text) === value);
  return (
    <Framed label={label} control={control}>
      <span className="ca-Field-number">
        <input
          id={control.id}
          type="number"
          min={min}
          step={step}
          value={writing ? text : (value ?? '')}
          placeholder={placeholder}
          aria-describedby={control.describedBy}
          aria-invalid={control.invalid || undefined}
          data-lm-suppress-shortcuts="true"
          onBlur={() => setText(null)}
          onChange={event => {
            const { value: next, valueAsNumber } = event.target;
            setText(next);
            if (next === '' ? optional : Number.isFinite(valueAsNumber)) {
              onChange(next === '' ? null : valueAsNumber);
            }
          }}
        />
        <span className="ca-Field-unit">{unit}</span>
      </span>
    </Framed>
  );
}

export function CheckField(
  props: FieldProps & { value: boolean; onChange: (value: boolean) => void }
): JSX.Element {
  const control = useControl(props);
  return (
    <div className="ca-Field ca-Field-check" data-field={control.path}>
      <input
        id={control.id}
        type="checkbox"
        checked={props.value}
        aria-describedby={control.describedBy}
        onChange={event => props.onChange(event.target.checked)}
      />
      <label htmlFor={control.id}>{props.label}</label>
      <Below control={control} />
    </div>
  );
}

/** A fact that cannot be edited here. */
export function Fact({ label, value }: { label: string; value: string }): JSX.Element {
  return (
    <div className="ca-Field">
      <span className="ca-Field-label">{label}</span>
      <span className="ca-Field-fact">{value}</span>
    </div>
  );
}
