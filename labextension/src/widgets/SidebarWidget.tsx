/**
 * The shell of the left sidebar. It draws, and listens to the server, only while it is seen.
 */
import { ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import type { ComponentType } from 'react';

import type { SidebarProps } from '../sidebar/Sidebar';
import type { MenuEntry, Place } from '../ui/port';
import type { IAgents } from '../tokens';

import { Boundary } from './Boundary';
import { agentIcon } from './icons';

export interface SidebarOptions extends Pick<SidebarProps, 'onOpen' | 'onCommand' | 'onFiles'> {
  agents: IAgents;
  trans: TranslationBundle;
}

export class SidebarWidget extends ReactWidget {
  constructor(private _options: SidebarOptions) {
    super();
    this.id = 'cloutagent-sidebar';
    this.addClass('ca-SidebarShell');
    this.title.icon = agentIcon;
    this.title.caption = _options.trans.__('Agents');
    _options.agents.projectsChanged.connect(this._onProjects, this);
  }

  dispose(): void {
    this._options.agents.projectsChanged.disconnect(this._onProjects, this);
    super.dispose();
  }

  /** Which projects are open, and which is in front. */
  setOpen(openIds: ReadonlySet<string>, currentId: string | null): void {
    this._openIds = openIds;
    this._currentId = currentId;
    this.update();
  }

  /** Whoever asked for it by keyboard goes on in it. */
  focus(): void {
    const search = this.node.querySelector('input');
    if (!search) {
      this.node.tabIndex = -1;
    }
    (search ?? this.node).focus();
  }

  protected render(): JSX.Element | null {
    if (!this.isVisible) {
      return null;
    }
    const { agents, trans, onOpen, onCommand, onFiles } = this._options;
    const view = {
      trans,
      live: agents.live,
      revision: this._revision,
      openIds: this._openIds,
      currentId: this._currentId,
      onOpen,
      onCommand,
      onFiles,
      openMenu: this._openMenu
    };
    return <Boundary trans={trans} load={this._load} view={view} />;
  }

  protected onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this.update();
  }

  protected onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this.update();
  }

  private _load = async (): Promise<ComponentType<Omit<SidebarProps, 'client'>>> => {
    const [{ Sidebar }, client] = await Promise.all([
      import('../sidebar/Sidebar'),
      this._options.agents.client()
    ]);
    return props => <Sidebar {...props} client={client} />;
  };

  private _openMenu = (entries: readonly MenuEntry[], at: Place): void => {
    void import('./shellPort').then(({ shellPort }) => shellPort(this._options.trans).openMenu(entries, at));
  };

  private _onProjects(): void {
    this._revision += 1;
    this.update();
  }

  private _revision = 0;
  private _openIds: ReadonlySet<string> = new Set();
  private _currentId: string | null = null;
}
