/**
 * Trying an MCP server: connects, lists its tools, and lets a person tick those that may be called.
 */
import { useState } from 'react';

import { ApiError } from '../api/errors';
import type { McpServer, McpTest as Tested } from '../api/types';
import { useActions, useUi } from '../ui/context';
import { duration } from '../ui/format';

interface Props {
  mcp: McpServer;
  onTools: (names: string[] | null) => void;
}

type State =
  | { kind: 'idle' }
  | { kind: 'testing' }
  | { kind: 'failed'; message: string }
  | { kind: 'done'; result: Tested };

function Tools({ mcp, onTools, result }: Props & { result: Tested }): JSX.Element {
  const { trans } = useUi();
  const all = result.tools.map(tool => tool.name);
  const chosen = mcp.enabled_tools ?? all;
  const tick = (name: string) => {
    const next = chosen.includes(name) ? chosen.filter(each => each !== name) : [...chosen, name];
    onTools(all.every(each => next.includes(each)) ? null : all.filter(each => next.includes(each)));
  };
  return (
    <fieldset className="ca-Tools">
      <legend>{trans._n('%1 tool', '%1 tools', all.length, all.length)}</legend>
      <ul>
        {result.tools.map(tool => (
          <li key={tool.name} data-on={chosen.includes(tool.name) || undefined}>
            <label title={tool.description}>
              <input type="checkbox" checked={chosen.includes(tool.name)} onChange={() => tick(tool.name)} />
              <span className="ca-Tools-name ca-Clip">{tool.name}</span>
            </label>
            {tool.read_only && <span className="ca-Badge">{trans.__('reads only')}</span>}
          </li>
        ))}
      </ul>
    </fieldset>
  );
}

export function McpTest({ mcp, onTools }: Props): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const [state, setState] = useState<State>({ kind: 'idle' });
  const test = async () => {
    setState({ kind: 'testing' });
    try {
      const result = await actions.testServer(mcp.id);
      setState(result ? { kind: 'done', result } : { kind: 'idle' });
    } catch (error) {
      const message = error instanceof ApiError ? error.message : String(error);
      setState({ kind: 'failed', message });
    }
  };
  return (
    <div className="ca-Field">
      <button
        type="button"
        className="ca-Secondary"
        disabled={state.kind === 'testing'}
        onClick={() => void test()}
      >
        {state.kind === 'testing' ? trans.__('Connecting') : trans.__('Test')}
      </button>
      <div role="status">
        {state.kind === 'idle' && (
          <p className="ca-Field-help">
            {trans.__('Saves the project, starts or calls the server once, and lists its tools.')}
          </p>
        )}
        {state.kind === 'failed' && <p className="ca-Field-bad">{state.message}</p>}
        {state.kind === 'done' && (
          <p className="ca-Field-help">
            {trans.__(
              'Connected to %1 in %2.',
              [state.result.name, state.result.version].filter(Boolean).join(' ') || mcp.name,
              duration(state.result.duration_ms)
            )}
          </p>
        )}
      </div>
      {state.kind === 'done' &&
        state.result.left_out.map(each => (
          <p key={each} className="ca-Field-help">
            {each}
          </p>
        ))}
      {state.kind === 'done' && <Tools mcp={mcp} onTools={onTools} result={state.result} />}
    </div>
  );
}
