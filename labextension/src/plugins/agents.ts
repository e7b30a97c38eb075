/**
 * Provides `IAgents`: the one client, the one event stream of this browser tab.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Client } from '../api/client';
import { Executions } from '../api/executions';
import { LiveExecutions } from '../api/live';
import { apiRoot, jupyterTransport } from '../api/transport';
import { IAgents } from '../tokens';
import { lazily } from '../ui/lazily';

class Agents implements IAgents {
  constructor(readonly executions: Executions) {
    this.live = new LiveExecutions(executions);
  }

  get projectsChanged(): ISignal<IAgents, void> {
    return this._projectsChanged;
  }

  notifyProjectsChanged(): void {
    this._projectsChanged.emit();
  }

  readonly client = lazily(async (): Promise<Client> => {
    const { Client } = await import('../api/client');
    return new Client(this.executions.transport, this.executions.root);
  });
  readonly live: LiveExecutions;
  readonly firstKeys = new Map<string, string>();
  private _projectsChanged = new Signal<IAgents, void>(this);
}

export const agents: JupyterFrontEndPlugin<IAgents> = {
  id: 'cloutagent:agents',
  description: 'Provides requests to, and live events of, the agents of this Jupyter server.',
  autoStart: true,
  provides: IAgents,
  activate: (app: JupyterFrontEnd): IAgents => {
    const settings = app.serviceManager.serverSettings;
    return new Agents(new Executions(jupyterTransport(settings), apiRoot(settings)));
  }
};
