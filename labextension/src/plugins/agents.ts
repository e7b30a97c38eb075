/**
 * Provides `IAgents`: the one client, the one event stream of this browser tab.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { Client } from '../api/client';
import { LiveExecutions } from '../api/live';
import { apiRoot, jupyterTransport } from '../api/transport';
import { IAgents } from '../tokens';

class Agents implements IAgents {
  constructor(readonly client: Client) {
    this.live = new LiveExecutions(client);
  }

  get projectsChanged(): ISignal<IAgents, void> {
    return this._projectsChanged;
  }

  notifyProjectsChanged(): void {
    this._projectsChanged.emit();
  }

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
    return new Agents(new Client(jupyterTransport(settings), apiRoot(settings)));
  }
};
