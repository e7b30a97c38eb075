/**
 * The shell of one project's tab: title, unsaved dot, close question. The view is loaded when it is shown.
 */
import type { ILabStatus } from '@jupyterlab/application';
import type { IThemeManager } from '@jupyterlab/apputils';
import { Dialog, ReactWidget, showDialog } from '@jupyterlab/apputils';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';

import type { Client } from '../api/client';
import { ProjectActions } from '../stores/actions';
import { createProjectStore } from '../stores/project';
import { isActive, isDirty } from '../stores/select';
import type { IAgents, IPreferences } from '../tokens';
import type { RenderOutput } from '../ui/context';
import type { Host } from '../ui/host';
import type { ShellPort } from '../ui/port';

import { Boundary } from './Boundary';
import { focusBack } from './focusBack';
import { agentIcon } from './icons';
import { renderOutputWith } from './renderOutput';
import { shellPort } from './shellPort';

const loadPanel = () => import('../panel/Panel').then(module => module.Panel);

/** What Lab's file browser drags, and how Lumino tells of it. */
const FILES = 'application/x-jupyter-icontents';
const DRAGS = ['lm-dragenter', 'lm-dragleave', 'lm-dragover', 'lm-drop'];

/** What a drag of Lumino's carries. */
interface FileDrag extends Event {
  dropAction?: string;
  proposedAction?: string;
  mimeData?: { hasData(type: string): boolean; getData(type: string): unknown };
}

export interface ProjectWidgetOptions {
  projectId: string;
  agents: IAgents;
  client: Client;
  rendermime: IRenderMimeRegistry;
  trans: TranslationBundle;
  themes: IThemeManager | null;
  status: ILabStatus | null;
  preferences: IPreferences;
  host: Host;
}

export class ProjectWidget extends ReactWidget {
  constructor(private _options: ProjectWidgetOptions) {
    super();
    const { projectId, agents, client, rendermime, trans, themes, preferences, host } = _options;
    this.projectId = projectId;
    this.id = `cloutagent-project-${projectId}`;
    this.addClass('ca-ProjectTab');
    this.title.icon = agentIcon;
    this.title.closable = true;
    this.title.label = trans.__('Agent project');
    const key = agents.firstKeys.get(projectId) ?? null;
    agents.firstKeys.delete(projectId);
    const store = createProjectStore(projectId, key);
    this.actions = new ProjectActions(store, client, agents.live, host, preferences);
    this._shell = shellPort(trans);
    this._renderOutput = renderOutputWith(rendermime, client);
    this._unsubscribe = store.subscribe(() => this._onState());
    themes?.themeChanged.connect(this._onTheme, this);
    void this.actions.load();
  }

  readonly projectId: string;
  readonly actions: ProjectActions;

  /** Whether there are edits that only this tab has. */
  get hasEdits(): boolean {
    return isDirty(this.actions.store.getState());
  }

  /** Whether there is something that a save would make a version of. */
  get canSave(): boolean {
    return this.hasEdits || this.actions.store.getState().draft;
  }

  /** The execution that it shows. */
  get executionId(): string | null {
    return this.actions.store.getState().executionId;
  }

  /** Whether the execution that it shows goes on. */
  get isRunning(): boolean {
    return isActive(this.actions.store.getState());
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._unsubscribe();
    this._dirty?.dispose();
    this.actions.dispose();
    this._options.themes?.themeChanged.disconnect(this._onTheme, this);
    super.dispose();
  }

  protected render(): JSX.Element {
    const { trans, client, themes, preferences } = this._options;
    const dark = Boolean(themes?.theme && !themes.isLight(themes.theme));
    const ui = {
      trans,
      client,
      RenderOutput: this._renderOutput,
      dark,
      theme: themes?.theme ?? '',
      shell: this._shell,
      preferences
    };
    return <Boundary trans={trans} load={loadPanel} view={{ ui, actions: this.actions }} />;
  }

  /** Files of Lab's file browser are taken wherever they are dropped on the tab. */
  handleEvent(event: Event): void {
    const drag = event as FileDrag;
    if (!drag.mimeData?.hasData(FILES) || !this.actions.store.getState().history) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.toggleClass('ca-mod-drop', event.type === 'lm-dragenter' || event.type === 'lm-dragover');
    if (event.type === 'lm-dragover') {
      drag.dropAction = drag.proposedAction;
    } else if (event.type === 'lm-drop') {
      drag.dropAction = drag.proposedAction;
      this.actions.runs.offer(drag.mimeData.getData(FILES) as string[]);
      this.activate();
    }
  }

  protected onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    DRAGS.forEach(type => this.node.addEventListener(type, this, true));
    this.node.addEventListener('pointerenter', this._look);
  }

  protected onBeforeDetach(msg: Message): void {
    DRAGS.forEach(type => this.node.removeEventListener(type, this, true));
    this.node.removeEventListener('pointerenter', this._look);
    super.onBeforeDetach(msg);
  }

  protected onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    this._look();
    this.focusBack();
  }

  /** Focus stays where it is inside the tab; coming from outside, it goes where it was. */
  readonly focusBack = focusBack(this.node);

  protected onCloseRequest(msg: Message): void {
    void this._close(msg);
  }

  private async _close(msg: Message): Promise<void> {
    const { trans } = this._options;
    if (this.hasEdits) {
      const answer = await showDialog({
        title: trans.__('Save "%1" before it closes?', this.title.label),
        body: trans.__('It has changes that are not saved.'),
        buttons: [
          Dialog.cancelButton(),
          Dialog.warnButton({ label: trans.__('Discard'), actions: ['discard'] }),
          Dialog.okButton({ label: trans.__('Save') })
        ]
      });
      if (!answer.button.accept || this.isDisposed) {
        return;
      }
      if (!answer.button.actions.includes('discard') && !(await this.actions.save())) {
        return; // The tab says why it could not be saved.
      }
    }
    super.onCloseRequest(msg);
    this.dispose();
  }

  private _onTheme(): void {
    this.update();
  }

  private _onState(): void {
    const { trans, agents, status } = this._options;
    const state = this.actions.store.getState();
    const name = state.history?.definition.name;
    if (name && this.title.label !== name) {
      this.title.label = name;
      this.title.caption = trans.__('Agent project %1', name);
    }
    const dirty = this.hasEdits;
    if (dirty !== this._wasDirty) {
      this._wasDirty = dirty;
      this.title.className = dirty ? 'jp-mod-dirty' : '';
      this._dirty?.dispose();
      this._dirty = dirty ? (status?.setDirty() ?? null) : null;
    }
    if (state.saved && state.saved.version !== this._version) {
      if (this._version) {
        agents.notifyProjectsChanged();
      }
      this._version = state.saved.version;
    }
  }

  private readonly _look = (): void => void this.actions.lookAgain();
  private _shell: ShellPort;
  private _renderOutput: RenderOutput;
  private _unsubscribe: () => void;
  private _dirty: IDisposable | null = null;
  private _wasDirty = false;
  private _version = 0;
}
