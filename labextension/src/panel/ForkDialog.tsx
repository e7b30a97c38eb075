/**
 * A fork: a new execution that shares the history before one turn, and differs from there.
 */
import { useState } from 'react';

import type { Definition, ForkRequest } from '../api/types';
import { changeableCall, forkPoint, mainTurnOf, resultEvent } from '../stores/moments';
import type { ToolStep } from '../stores/monitor';
import { toolTitle } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { Dialog } from '../ui/Dialog';
import { Icon } from '../ui/Icon';

import { TextArea, TextField } from './fields';

function outputText(call: ToolStep): string {
  return call.output.map(part => (part.type === 'text' ? part.text : '')).join('');
}

export function ForkDialog({ definition }: { definition: Definition }): JSX.Element | null {
  const { trans } = useUi();
  const { runs } = useActions();
  const monitor = useProject(state => state.monitor);
  const events = useProject(state => state.runs.events);
  const forking = useProject(state => state.runs.forking);
  const models = useProject(state => state.models);
  const step = (forking?.step && monitor?.steps.get(forking.step)) || null;
  const call = monitor && changeableCall(monitor, step);
  const main = monitor?.steps.get('main');
  const before = main?.kind === 'agent' ? main.variables : {};
  const was = call ? outputText(call) : '';
  const [prompt, setPrompt] = useState('');
  const [model, setModel] = useState('');
  const [variables, setVariables] = useState<Record<string, string>>({});
  const [result, setResult] = useState(was);
  const [changesResult, setChangesResult] = useState(false);
  const [sending, setSending] = useState(false);
  const [refused, setRefused] = useState<string | null>(null);
  if (!monitor || !forking) {
    return null;
  }
  const turn = step && mainTurnOf(monitor, step);
  const changed = Object.fromEntries(
    Object.entries(variables).filter(([name, value]) => value !== '' && value !== before[name])
  );
  const request: ForkRequest = {
    from_event: call && changesResult ? (resultEvent(events, call) ?? 1) : forkPoint(events, monitor, step),
    ...(prompt.trim() ? { prompt } : {}),
    ...(Object.keys(changed).length ? { variables: changed } : {}),
    ...(model.trim() ? { model: model.trim() } : {}),
    ...(call && changesResult ? { tool_result: { call_id: call.callId, text: result } } : {})
  };
  const complete = !changesResult || result.trim() !== '';
  const submit = async () => {
    setSending(true);
    setRefused(await runs.fork(request));
    setSending(false);
  };
  return (
    <Dialog
      title={trans.__('Fork')}
      onClose={() => runs.stopForking()}
      onSubmit={() => void submit()}
      foot={
        <>
          <button type="button" className="ca-Secondary" onClick={() => runs.stopForking()}>
            {trans.__('Cancel')}
          </button>
          <button type="submit" className="ca-Run" disabled={sending || !complete}>
            <Icon name="fork" />
            {trans.__('Fork')}
          </button>
        </>
      }
    >
      <p className="ca-Dialog-text">
        {call && changesResult
          ? trans.__(
              'Everything up to the result of %1 is shared; the rest is new.',
              toolTitle(definition, call.tool)
            )
          : turn && turn > 1
            ? trans.__('What was before turn %1 is shared and not paid again; that turn is taken anew.', turn)
            : trans.__('It begins anew, with what you change here.')}
      </p>
      <TextArea
        label={turn && turn > 1 ? trans.__('Say besides') : trans.__('Another task')}
        help={
          turn && turn > 1
            ? trans.__('The model reads it before that turn. Empty: nothing.')
            : trans.__('Empty: the same as before.')
        }
        value={prompt}
        onChange={setPrompt}
      />
      {call && (
        <div className="ca-Field">
          <label>
            <input
              type="checkbox"
              checked={changesResult}
              onChange={event => setChangesResult(event.target.checked)}
            />{' '}
            {trans.__('Another result of %1', toolTitle(definition, call.tool))}
          </label>
          {changesResult && <TextArea code label={trans.__('Result')} value={result} onChange={setResult} />}
        </div>
      )}
      <TextField
        label={trans.__('Model')}
        help={trans.__('Empty: the same as before.')}
        placeholder={monitor.model ?? undefined}
        options={models?.items.map(each => ({ value: each.id, label: each.id }))}
        value={model}
        onChange={setModel}
      />
      {Object.keys(definition.variables).map(name => (
        <TextField
          key={name}
          label={name}
          help={definition.variables[name].description || undefined}
          placeholder={before[name]}
          value={variables[name] ?? ''}
          onChange={value => setVariables({ ...variables, [name]: value })}
        />
      ))}
      {refused && (
        <p className="ca-Dialog-refused" role="alert">
          {refused}
        </p>
      )}
    </Dialog>
  );
}
