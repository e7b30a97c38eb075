/**
 * How programs outside Jupyter call the project: its keys, and programs ready to paste.
 */
import { useState } from 'react';

import type { Definition } from '../api/types';
import { useActions, useProject, useUi } from '../ui/context';
import { Copy } from '../ui/Copy';
import { Dialog } from '../ui/Dialog';
import { Icon } from '../ui/Icon';

import { KeysSection } from './settings/KeysSection';
import { NO_KEY, snippet } from './snippets';
import type { Language, Manner } from './snippets';

/** What a call with a key runs, and with which model. */
function WhatRuns(): JSX.Element {
  const { trans } = useUi();
  const published = useProject(state => state.saved?.published_version ?? null);
  const newest = useProject(state => state.saved?.version ?? 0);
  const simulated = useProject(state => state.saved?.agent.simulate ?? false);
  const credentials = useProject(state => state.validation?.credentials ?? state.models?.credentials);
  return (
    <>
      <p className="ca-Field-help">
        {published === null
          ? trans.__(
              'Calls run the newest version, now v%1, never a draft. Publish one to hold them to it.',
              newest
            )
          : trans.__('Calls run the published version, v%1.', published)}
      </p>
      {credentials === 'none' && !simulated && (
        <p className="ca-Entry-warning">
          <Icon name="warning" />
          {trans.__(
            'No model key is set: calls with a key are answered MODEL_UNAVAILABLE, unless the agent always uses the simulated model.'
          )}
        </p>
      )}
    </>
  );
}

export function ApiDialog({ definition }: { definition: Definition }): JSX.Element {
  const { trans, client } = useUi();
  const actions = useActions();
  const projectId = useProject(state => state.projectId);
  const first = useProject(state => state.firstKey);
  const [made, setMade] = useState<string | null>(null);
  const [language, setLanguage] = useState<Language>('curl');
  const [manner, setManner] = useState<Manner>('wait');
  const key = made ?? first;
  const text = snippet(language, { root: client.root, projectId, key: key ?? NO_KEY, manner }, definition);
  const languages: [Language, string][] = [
    ['curl', 'curl'],
    ['python', 'Python'],
    ['javascript', 'JavaScript']
  ];
  return (
    <Dialog
      title={trans.__('Call %1 from anywhere', definition.name)}
      size="wide"
      onClose={() => actions.cover(null)}
    >
      <div className="ca-Api">
        <div className="ca-Api-keys">
          <h3 className="ca-Heading">{trans.__('Keys')}</h3>
          <KeysSection onKey={setMade} />
        </div>
        <div className="ca-Api-calls">
          <h3 className="ca-Heading">{trans.__('A call')}</h3>
          <WhatRuns />
          <div className="ca-Api-choices">
            <div className="ca-Segments" role="group" aria-label={trans.__('Language')}>
              {languages.map(([id, label]) => (
                <button key={id} type="button" aria-pressed={id === language} onClick={() => setLanguage(id)}>
                  {label}
                </button>
              ))}
            </div>
            <div className="ca-Segments" role="group" aria-label={trans.__('Manner')}>
              <button type="button" aria-pressed={manner === 'wait'} onClick={() => setManner('wait')}>
                {trans.__('wait for the answer')}
              </button>
              <button type="button" aria-pressed={manner === 'stream'} onClick={() => setManner('stream')}>
                {trans.__('follow its events')}
              </button>
            </div>
          </div>
          <div className="ca-Api-code">
            {/* A long program scrolls, also by keyboard. */}
            {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
            <pre tabIndex={0} aria-label={trans.__('Program that calls the project')}>
              <code>{text}</code>
            </pre>
            <Copy key={text} text={text} />
          </div>
          <p className="ca-Field-help">
            {key
              ? trans.__('The new key is in it. Keep it out of files that others can read.')
              : trans.__('Put a key in place of %1; a new one is put there by itself.', NO_KEY)}
          </p>
        </div>
      </div>
    </Dialog>
  );
}
