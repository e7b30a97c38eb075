/**
 * The project's variables: names that prompts use, with defaults, and where each is used.
 */
import { useId, useState } from 'react';

import type { Definition } from '../api/types';
import { placesIn } from '../graph/prompts';
import { useActions, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

import { CheckField, TextField } from './fields';

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

const NOTHING: ReadonlySet<string> = new Set();

/** Names that prompts use, with the names of the cards that use them. Pure. */
export function usesOf(definition: Definition): Map<string, string[]> {
  const uses = new Map<string, string[]>();
  const look = (who: string, ...texts: string[]) => {
    for (const { name, kind } of placesIn(texts.join('\n'), NOTHING)) {
      if (kind !== 'unknown') {
        continue;
      }
      const known = uses.get(name) ?? [];
      if (!known.includes(who)) {
        uses.set(name, [...known, who]);
      }
    }
  };
  look(
    definition.agent.name === 'main' ? definition.name : definition.agent.name,
    definition.agent.system_prompt,
    definition.agent.task
  );
  definition.subagents.forEach(sub => look(sub.name, sub.prompt));
  return uses;
}

export function VariablesForm({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const id = useId();
  const [name, setName] = useState('');
  const uses = usesOf(definition);
  const { variables } = definition;
  const missing = [...uses.keys()].filter(each => !(each in variables));
  const declare = (wanted: string) => {
    actions.edit(['variables'], {
      ...variables,
      [wanted]: { description: '', default: null, required: true }
    });
  };
  const forget = (gone: string) =>
    actions.edit(
      ['variables'],
      Object.fromEntries(Object.entries(variables).filter(([each]) => each !== gone))
    );
  return (
    <>
      <h3 className="ca-Heading">{trans.__('Variables')}</h3>
      {Object.keys(variables).length === 0 && missing.length === 0 && (
        <p className="ca-Field-help">
          {trans.__('None. Prompts name variables as {{name}}; callers hand in values.')}
        </p>
      )}
      {missing.map(each => (
        <p key={each} className="ca-Field-help">
          {trans.__('%1 uses {{%2}}, which is no variable yet.', uses.get(each)!.join(', '), each)}{' '}
          <button type="button" className="ca-Link" onClick={() => declare(each)}>
            {trans.__('Make it one')}
          </button>
        </p>
      ))}
      {Object.entries(variables).map(([each, variable]) => (
        <fieldset key={each} className="ca-Variable" data-field={`variables.${each}`}>
          <legend>
            <code>{each}</code>
            <span className="ca-Card-subtitle">
              {uses.has(each) ? trans.__('used by %1', uses.get(each)!.join(', ')) : trans.__('not used')}
            </span>
            <button
              type="button"
              className="ca-Button"
              aria-label={trans.__('Remove %1', each)}
              title={trans.__('Remove %1', each)}
              onClick={() => forget(each)}
            >
              <Icon name="trash" />
            </button>
          </legend>
          <TextField
            label={trans.__('What it is for')}
            name={`variables.${each}.description`}
            value={variable.description}
            onChange={value => actions.edit(['variables', each, 'description'], value)}
          />
          <TextField
            label={trans.__('Default')}
            name={`variables.${each}.default`}
            placeholder={variable.required ? trans.__('none: asked for at each run') : trans.__('none')}
            value={variable.default ?? ''}
            onChange={value => actions.edit(['variables', each, 'default'], value || null)}
          />
          <CheckField
            label={trans.__('A run needs a value')}
            name={`variables.${each}.required`}
            value={variable.required}
            onChange={value => actions.edit(['variables', each, 'required'], value)}
          />
        </fieldset>
      ))}
      <form
        className="ca-Field-number"
        onSubmit={event => {
          event.preventDefault();
          if (NAME.test(name) && !(name in variables)) {
            declare(name);
            setName('');
          }
        }}
      >
        <input
          id={id}
          type="text"
          aria-label={trans.__('Name of a new variable')}
          placeholder={trans.__('new variable')}
          pattern={NAME.source}
          spellCheck={false}
          data-lm-suppress-shortcuts="true"
          value={name}
          onChange={event => setName(event.target.value)}
        />
        <button type="submit" className="ca-Secondary" disabled={!NAME.test(name) || name in variables}>
          {trans.__('Add')}
        </button>
      </form>
    </>
  );
}
