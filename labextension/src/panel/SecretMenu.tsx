/**
 * Choosing one of the project's secrets, or keeping a new one in place. Values go in and never come out.
 */
import { useEffect, useId, useRef, useState } from 'react';

import { ApiError } from '../api/errors';
import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/** The choice that makes a new secret; no secret can have such a name. */
const NEW = '+';

/** The names of the project's secrets, read when somebody first needs them. */
export function useSecrets(): readonly { name: string; locked: boolean }[] | null {
  const actions = useActions();
  const secrets = useProject(state => state.secrets);
  useEffect(() => {
    if (secrets === null) {
      void actions.loadSecrets();
    }
  }, [secrets, actions]);
  return secrets;
}

/** What a new secret is made of: its value, or a user and a password (for HTTP's basic sign-in). */
export type SecretShape = 'value' | 'basic';

/** `user:password` as HTTP's basic sign-in sends it. */
export function basicValue(user: string, password: string): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return btoa(String.fromCharCode(...bytes));
}

export function NewSecret(props: {
  shape?: SecretShape;
  suggested?: string;
  onMade: (name: string) => void;
  onCancel: () => void;
}): JSX.Element {
  const { shape = 'value', suggested = '', onMade, onCancel } = props;
  const { trans } = useUi();
  const actions = useActions();
  const id = useId();
  const [name, setName] = useState(suggested);
  const [user, setUser] = useState('');
  const [value, setValue] = useState('');
  const [wrong, setWrong] = useState<string | null>(null);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  const complete = NAME.test(name) && value !== '' && (shape === 'value' || user !== '');
  const keep = async () => {
    if (!complete) {
      return;
    }
    try {
      await actions.keepSecret(name, shape === 'basic' ? basicValue(user, value) : value);
      onMade(name);
    } catch (error) {
      setWrong(error instanceof ApiError ? error.message : String(error));
    }
  };
  const field = (label: string, text: string, set: (text: string) => void, hidden = false) => (
    <label>
      {label}
      <input
        ref={label === trans.__('Name of the secret') ? first : undefined}
        type={hidden ? 'password' : 'text'}
        autoComplete="off"
        spellCheck={false}
        data-lm-suppress-shortcuts="true"
        value={text}
        onChange={event => set(event.target.value)}
      />
    </label>
  );
  return (
    // Inside a form of its own already: Enter keeps, Escape leaves.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      className="ca-NewSecret"
      onKeyDown={event => {
        if (event.key === 'Enter' && (event.target as HTMLElement).tagName === 'INPUT') {
          event.preventDefault();
          void keep();
        } else if (event.key === 'Escape') {
          event.stopPropagation();
          onCancel();
        }
      }}
    >
      {field(trans.__('Name of the secret'), name, setName)}
      {shape === 'basic' && field(trans.__('User'), user, setUser)}
      {field(shape === 'basic' ? trans.__('Password') : trans.__('Value'), value, setValue, true)}
      <p className="ca-Field-help" id={`${id}-help`}>
        {trans.__('Encrypted on the server; it is never shown again. An existing name is replaced.')}
      </p>
      {wrong && (
        <p className="ca-Field-bad" role="alert">
          {wrong}
        </p>
      )}
      <span className="ca-NewSecret-buttons">
        <button type="button" className="ca-Secondary" onClick={onCancel}>
          {trans.__('Cancel')}
        </button>
        <button type="button" className="ca-Primary" disabled={!complete} onClick={() => void keep()}>
          {trans.__('Keep')}
        </button>
      </span>
    </div>
  );
}

interface ChoiceProps {
  label: string;
  shape?: SecretShape;
  suggested?: string;
  onPick: (name: string) => void;
}

function Options({ empty }: { empty: string }): JSX.Element {
  const { trans } = useUi();
  const secrets = useSecrets() ?? [];
  return (
    <>
      <option value="">{empty}</option>
      {secrets.map(each => (
        <option key={each.name} value={each.name} disabled={each.locked}>
          {each.locked ? trans.__('%1 (locked)', each.name) : each.name}
        </option>
      ))}
      <option value={NEW}>{trans.__('New secret …')}</option>
    </>
  );
}

/** A key beside a text: what is picked goes into the text. */
export function SecretMenu({ label, onPick, ...rest }: ChoiceProps): JSX.Element {
  const { trans } = useUi();
  const [making, setMaking] = useState(false);
  return (
    <>
      <span className="ca-SecretMenu" title={label}>
        <Icon name="key" />
        <select
          aria-label={label}
          value=""
          onChange={event => {
            const { value } = event.target;
            setMaking(value === NEW);
            if (value && value !== NEW) {
              onPick(value);
            }
          }}
        >
          <Options empty={trans.__('Put in a secret …')} />
        </select>
      </span>
      {making && (
        <NewSecret
          {...rest}
          onCancel={() => setMaking(false)}
          onMade={name => {
            setMaking(false);
            onPick(name);
          }}
        />
      )}
    </>
  );
}

/** A field that holds the name of a secret and nothing else. */
export function SecretSelect(props: ChoiceProps & { value: string; id?: string }): JSX.Element {
  const { label, value, id, onPick, ...rest } = props;
  const { trans } = useUi();
  const secrets = useSecrets();
  const [making, setMaking] = useState(false);
  const missing = value !== '' && secrets !== null && !secrets.some(each => each.name === value);
  return (
    <>
      <select
        id={id}
        aria-label={label}
        aria-invalid={missing || undefined}
        value={making ? NEW : value}
        onChange={event => {
          setMaking(event.target.value === NEW);
          if (event.target.value !== NEW) {
            onPick(event.target.value);
          }
        }}
      >
        {value !== '' && (missing || secrets === null) && (
          <option value={value}>{missing ? trans.__('%1 (there is none)', value) : value}</option>
        )}
        <Options empty={trans.__('choose a secret …')} />
      </select>
      {making && (
        <NewSecret
          {...rest}
          suggested={missing ? value : rest.suggested}
          onCancel={() => setMaking(false)}
          onMade={name => {
            setMaking(false);
            onPick(name);
          }}
        />
      )}
    </>
  );
}
