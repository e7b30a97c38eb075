/**
 * What can be done with whole projects from anywhere in Lab: make, import, duplicate, export, delete. One
 * place for the commands, the sidebar's menus and what is dropped there.
 */
import { Notification, showErrorMessage } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ArchiveFormat } from '../api/admin';
import type { Client } from '../api/client';
import type { CreatedProject, TemplateRow } from '../api/types';
import { freeName } from '../projects/names';
import type { IAgents } from '../tokens';
import { size } from '../ui/format';

import { chooseTemplate, showBackups, showWarnings } from './projectDialogs';
import { shellPort } from './shellPort';

/** A project by its id and the name that people know it by. */
export interface Named {
  id: string;
  name: string;
}

/** What becomes of tabs. */
export interface Tabs {
  open(id: string): Promise<unknown>;
  close(id: string): void;
  /** Read it again: it is not what the tab shows any more. */
  reload(id: string): void;
}

export class ProjectWork {
  constructor(
    private _agents: IAgents,
    private _client: Client,
    private _trans: TranslationBundle,
    private _tabs: Tabs
  ) {
    this._shell = shellPort(_trans);
  }

  /** Make a project: from the template called `id`, or one that the person chooses. */
  async create(id: string | null, name: string | null): Promise<unknown> {
    return this._trying(this._trans.__('No project was made'), async () => {
      const client = this._client;
      const taken = (await client.projects()).items.map(row => row.name);
      let template: TemplateRow | undefined;
      if (id !== null) {
        template = (await client.templates()).items.find(row => row.id === id);
      }
      const choice = template
        ? { template, name: name ?? freeName(template.name, taken) }
        : await chooseTemplate(this._trans, client, taken);
      if (!choice) {
        return null;
      }
      return this._opened(await client.createProject(choice.name, choice.template.id));
    });
  }

  /** Let the person choose archives, and import them. */
  chooseArchives(): void {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = true;
    input.accept = '.zip,.gz,.tgz,application/zip,application/gzip';
    input.addEventListener('change', () => void this.importFiles([...(input.files ?? [])]));
    input.click();
  }

  async importFiles(files: readonly File[]): Promise<void> {
    for (const file of files) {
      await this._trying(this._trans.__('"%1" was not imported', file.name), async () => {
        const imported = await this._client.admin.importProject(file);
        this._note(imported);
        if (imported.warnings.length) {
          await showWarnings(this._trans, imported.name, imported.warnings);
        }
        await this._tabs.open(imported.id);
      });
    }
  }

  async duplicate(project: Named): Promise<void> {
    await this._trying(this._trans.__('"%1" was not duplicated', project.name), async () =>
      this._opened(await this._client.admin.duplicateProject(project.id))
    );
  }

  async export(project: Named, format: ArchiveFormat, executions = false): Promise<void> {
    await this._trying(this._trans.__('"%1" was not exported', project.name), async () => {
      const { name, blob } = await this._client.admin.exportProject(project.id, format, executions);
      this._shell.keep(name, blob);
    });
  }

  /** Delete a project, after a question. */
  async remove(project: Named): Promise<void> {
    const trans = this._trans;
    const sure = await this._shell.confirm({
      title: trans.__('Delete "%1"?', project.name),
      body: trans.__('A zip of it goes to the backups first. Its keys stop working at once.'),
      accept: trans.__('Delete'),
      danger: true
    });
    if (sure) {
      await this._trying(trans.__('Not deleted'), async () => {
        await this._client.deleteProject(project.id);
        this._tabs.close(project.id);
      });
      this._agents.notifyProjectsChanged();
    }
  }

  /** Make a backup of all projects, and say so. */
  async backUp(): Promise<void> {
    await this._trying(this._trans.__('No backup was made'), async () => {
      const row = await this._client.admin.makeBackup();
      Notification.success(this._trans.__('Backup made: %1, %2', row.name, size(row.size)), {
        autoClose: 5_000
      });
    });
  }

  async showBackups(): Promise<void> {
    await showBackups({
      trans: this._trans,
      client: this._client,
      shell: this._shell,
      onRestored: restored => {
        this._agents.notifyProjectsChanged();
        restored.restored.forEach(id => this._tabs.reload(id));
        const count = restored.restored.length;
        Notification.success(this._trans._n('%1 project restored', '%1 projects restored', count, count), {
          autoClose: 5_000
        });
      }
    });
  }

  private _note(created: CreatedProject): void {
    this._agents.firstKeys.set(created.id, created.api_key);
    this._agents.notifyProjectsChanged();
  }

  private _opened(created: CreatedProject): Promise<unknown> {
    this._note(created);
    return this._tabs.open(created.id);
  }

  private async _trying(failure: string, task: () => Promise<unknown>): Promise<unknown> {
    try {
      return await task();
    } catch (error) {
      await showErrorMessage(failure, error instanceof Error ? error : String(error));
      return null;
    }
  }

  private _shell: ReturnType<typeof shellPort>;
}
