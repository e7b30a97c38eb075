/**
 * A project that came from elsewhere: exactly what would run of it, and a person's word before any of it does.
 */
import { useState } from 'react';

import type { Agreement } from '../api/types';
import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

export function Programs({ agreement }: { agreement: Agreement }): JSX.Element {
  const { trans } = useUi();
  const { hooks, mcps, scripts } = agreement.would_run;
  const withNames = (label: string, all: readonly string[]) =>
    all.length ? ` · ${label}: ${all.join(', ')}` : '';
  return (
    <ul className="ca-Trust-list">
      {hooks.map(hook => (
        <li key={`hook ${hook.id}`}>
          <Icon name="hook" />
          <span>
            {trans.__('Hook %1, %2:', hook.name, hook.event)}{' '}
            <code>{hook.command?.join(' ') ?? hook.url}</code>
            {withNames(trans.__('environment'), hook.env)}
          </span>
        </li>
      ))}
      {mcps.map(server => (
        <li key={`mcp ${server.id}`}>
          <Icon name="mcp" />
          <span>
            {trans.__('MCP server %1:', server.name)}{' '}
            <code>{server.url ?? [server.command, ...server.args].join(' ')}</code>
            {withNames(trans.__('environment'), server.env)}
            {withNames(trans.__('secrets'), Object.values(server.credentials))}
          </span>
        </li>
      ))}
      {scripts.length > 0 && (
        <li>
          <Icon name="file" />
          <span>
            {trans.__('Files that these may run:')} {scripts.map(each => each.path).join(', ')}
          </span>
        </li>
      )}
    </ul>
  );
}

export function Trust(): JSX.Element | null {
  const { trans } = useUi();
  const actions = useActions();
  const untrusted = useProject(state => state.saved?.trusted === false);
  const agreement = useProject(state => state.agreement);
  const [later, setLater] = useState(false);
  if (!untrusted || later) {
    return null;
  }
  return (
    <div className="ca-Strip ca-Trust" data-tone="warning" role="status">
      <Icon name="warning" />
      <div className="ca-Strip-body">
        <strong>{trans.__('This project would start programs that nobody here has agreed to.')}</strong>{' '}
        {trans.__('You can read and change it; nothing of it is started until you trust it.')}
        {agreement && <Programs agreement={agreement} />}
        <div className="ca-Trust-choices">
          {agreement ? (
            <button type="button" className="ca-Primary" onClick={() => void actions.trust(agreement)}>
              {trans.__('Trust exactly this')}
            </button>
          ) : (
            <button type="button" className="ca-Secondary" onClick={() => void actions.lookAtTrust()}>
              {trans.__('Show what would run')}
            </button>
          )}
          <button type="button" className="ca-Link" onClick={() => setLater(true)}>
            {trans.__('Open without')}
          </button>
        </div>
      </div>
    </div>
  );
}
