/**
 * Form fields: label, control, help line. Each knows only its value.
 */
import { useId } from 'react';
import type { ReactNode } from 'react';

export interface FieldProps {
  label: string;
  help?: string;
}

export function Field(props: FieldProps & { id: string; children: ReactNode }): JSX.Element {
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
  }
): JSX.Element {
  const id = useId();
  const { value, onChange, options, placeholder, help } = props;
  return (
    <Field {...props} id={id}>
      <input
        id={id}
        type="text"
        value={value}
        placeholder={placeholder}
        list={options ? `${id}-options` : undefined}
        aria-describedby={help ? `${id}-help` : undefined}
        data-lm-suppress-shortcuts="true"
        spellCheck={false}
        onChange={event => onChange(event.target.value)}
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
    </Field>
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
  const id = useId();
  const { value, onChange, code, help, placeholder } = props;
  // Long lines wrap; about 34 characters fit the panel.
  const lines = value.split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 34)), 0);
  return (
    <Field {...props} id={id}>
      <textarea
        id={id}
        className={code ? 'ca-mod-code' : undefined}
        rows={Math.min(LINES.most, Math.max(LINES.least, lines))}
        value={value}
        placeholder={placeholder}
        aria-describedby={help ? `${id}-help` : undefined}
        data-lm-suppress-shortcuts="true"
        onChange={event => onChange(event.target.value)}
      />
    </Field>
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
  const id = useId();
  const { value, unit, min, step = 1, optional, placeholder, onChange, help } = props;
  return (
    <Field {...props} id={id}>
      <span className="ca-Field-number">
        <input
          id={id}
          type="number"
          min={min}
          step={step}
          value={value ?? ''}
          placeholder={placeholder}
          aria-describedby={help ? `${id}-help` : undefined}
          data-lm-suppress-shortcuts="true"
          onChange={event => {
            const { value: text, valueAsNumber } = event.target;
            if (text === '' ? optional : Number.isFinite(valueAsNumber)) {
              onChange(text === '' ? null : valueAsNumber);
            }
          }}
        />
        <span className="ca-Field-unit">{unit}</span>
      </span>
    </Field>
  );
}

export function CheckField(
  props: FieldProps & { value: boolean; onChange: (value: boolean) => void }
): JSX.Element {
  const id = useId();
  return (
    <div className="ca-Field ca-Field-check">
      <input
        id={id}
        type="checkbox"
        checked={props.value}
        aria-describedby={props.help ? `${id}-help` : undefined}
        onChange={event => props.onChange(event.target.checked)}
      />
      <label htmlFor={id}>{props.label}</label>
      {props.help && (
        <p id={`${id}-help`} className="ca-Field-help">
          {props.help}
        </p>
      )}
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
