/**
 * Opens projects as tabs: at most one tab a project, beside those that are open.
 */
import type { ILabStatus, JupyterFrontEnd } from '@jupyterlab/application';
import type { IThemeManager, WidgetTracker } from '@jupyterlab/apputils';
import { showErrorMessage } from '@jupyterlab/apputils';
import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IStateDB } from '@jupyterlab/statedb';
import type { ITranslator } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { DockLayout } from '@lumino/widgets';

import type { Client } from '../api/client';
import type { IAgents, IPreferences } from '../tokens';

import { LabHost } from './host';
import { ProjectWidget } from './ProjectWidget';

export interface OpenerOptions {
  app: JupyterFrontEnd;
  tracker: WidgetTracker<ProjectWidget>;
  agents: IAgents;
  client: Client;
  rendermime: IRenderMimeRegistry;
  preferences: IPreferences;
  translator: ITranslator;
  themes: IThemeManager | null;
  status: ILabStatus | null;
  browser: IDefaultFileBrowser | null;
  state: IStateDB | null;
}

/** The id of the project called `name`; null when there is none. */
async function idOf(client: Client, name: string): Promise<string | null> {
  const page = await client.projects(name);
  const same = page.items.filter(row => row.name === name);
  return same[0]?.id ?? null;
}

export class ProjectOpener {
  constructor(private _options: OpenerOptions) {
    const { app, browser, state, translator } = _options;
    this._trans = translator.load('cloutagent');
    this._host = new LabHost({
      contents: app.serviceManager.contents,
      commands: app.commands,
      browser,
      state,
      trans: this._trans,
      translator
    });
  }

  /** Open what the arguments of the command name; null, and a word to the person, when there is no such. */
  async open(args: ReadonlyPartialJSONObject): Promise<ProjectWidget | null> {
    const trans = this._trans;
    const name = args.name ? String(args.name) : null;
    const id = args.id ? String(args.id) : name && (await idOf(this._options.client, name));
    if (!id) {
      await showErrorMessage(
        trans.__('No such agent project'),
        name
          ? trans.__('No project is called "%1". Look in the sidebar "Agents" for those there are.', name)
          : trans.__('Name the project to open, or choose it in the sidebar "Agents".')
      );
      return null;
    }
    const widget = await this._shown(id, args.mode as DockLayout.InsertMode | undefined);
    if (args.execution) {
      await widget.actions.look(String(args.execution));
      widget.actions.showTab('steps');
    }
    if (args.notebook) {
      await this._options.app.commands.execute('docmanager:open', {
        path: String(args.notebook),
        factory: 'Notebook',
        options: { mode: 'split-right', ref: widget.id }
      });
    }
    return widget;
  }

  private async _shown(id: string, mode: DockLayout.InsertMode | undefined): Promise<ProjectWidget> {
    const { app, tracker, agents, client, rendermime, themes, status, preferences } = this._options;
    const { shell } = app;
    const known = tracker.find(widget => widget.projectId === id);
    if (known) {
      if (known.isAttached) {
        shell.activateById(known.id);
      } else {
        // A layout saved while we were not installed does not name what the workspace remembers.
        void app.restored.then(() => {
          if (!known.isDisposed && !known.isAttached) {
            shell.add(known, 'main', { type: 'Agent project' });
          }
          shell.activateById(known.id);
        });
      }
      return known;
    }
    const widget = new ProjectWidget({
      projectId: id,
      agents,
      client,
      rendermime,
      trans: this._trans,
      themes,
      status,
      preferences,
      host: this._host
    });
    // Beside the projects that are open, so that it does not cover the notebook that one works in.
    const other = tracker.find(each => each.isAttached && !each.isDisposed);
    const beside = mode === undefined && other ? { mode: 'tab-after' as const, ref: other.id } : { mode };
    shell.add(widget, 'main', { ...beside, type: 'Agent project' });
    await tracker.add(widget);
    shell.activateById(widget.id);
    return widget;
  }

  private _trans: ReturnType<ITranslator['load']>;
  private _host: LabHost;
}
