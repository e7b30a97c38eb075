/**
 * Asks for what a run still needs: values of required variables, and a prompt where there is no task.
 */
import { useEffect, useRef, useState } from 'react';
import type { FormEvent, KeyboardEvent } from 'react';

import type { Definition } from '../api/types';
import { needsPrompt, variablesToAsk } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

import { TextArea, TextField } from './fields';

const FOCUSABLE = 'input, textarea, button';

export function RunDialog({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const last = useProject(state => state.lastVariables);
  const names = variablesToAsk(definition);
  const asksPrompt = needsPrompt(definition);
  const [values, setValues] = useState<Record<string, string>>(() =>
    Object.fromEntries(names.map(name => [name, last[name] ?? '']))
  );
  const [prompt, setPrompt] = useState('');
  const dialog = useRef<HTMLDivElement>(null);
  useEffect(() => dialog.current?.querySelector<HTMLElement>('input, textarea')?.focus(), []);
  const complete = names.every(name => values[name] !== '') && (!asksPrompt || prompt.trim() !== '');

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (complete) {
      void actions.runWith(values, asksPrompt ? prompt : undefined);
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') {
      actions.stopAsking();
    } else if (event.key === 'Tab' && dialog.current) {
      // The dialog is modal within the tab: focus goes round inside it.
      const all = [...dialog.current.querySelectorAll<HTMLElement>(FOCUSABLE)].filter(
        each => !each.matches(':disabled')
      );
      const edge = event.shiftKey ? all[0] : all[all.length - 1];
      if (document.activeElement === edge) {
        event.preventDefault();
        (event.shiftKey ? all[all.length - 1] : all[0]).focus();
      }
    }
  };
  return (
    <div className="ca-Veil">
      {/* Keys of a dialog: Escape closes it, Tab stays inside. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <div
        ref={dialog}
        role="dialog"
        aria-modal="true"
        aria-label={trans.__('Run %1', definition.name)}
        onKeyDown={onKeyDown}
      >
        <form className="ca-Dialog" onSubmit={submit}>
          <h2>{trans.__('Run %1', definition.name)}</h2>
          {names.map(name => (
            <TextField
              key={name}
              label={name}
              help={definition.variables[name].description}
              value={values[name]}
              onChange={value => setValues({ ...values, [name]: value })}
            />
          ))}
          {asksPrompt && (
            <TextArea
              label={trans.__('What shall it do?')}
              help={trans.__('The project has no task of its own.')}
              value={prompt}
              onChange={setPrompt}
            />
          )}
          <div className="ca-Dialog-buttons">
            <button type="button" className="ca-Secondary" onClick={() => actions.stopAsking()}>
              {trans.__('Cancel')}
            </button>
            <button type="submit" className="ca-Run" disabled={!complete}>
              <Icon name="run" solid />
              {trans.__('Run')}
            </button>
          </div>
        </form>
      </div>
    </div>
  );
}
