/**
 * What views ask of Lab: files of the server, tabs to open, values that Lab remembers.
 */
import { Dialog } from '@jupyterlab/apputils';
import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { PathExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';
import type { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle, ITranslator } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONValue } from '@lumino/coreutils';

import type { Host } from '../ui/host';

export interface LabHostOptions {
  contents: Contents.IManager;
  commands: CommandRegistry;
  browser: IDefaultFileBrowser | null;
  state: IStateDB | null;
  trans: TranslationBundle;
  translator: ITranslator;
}

/** Not the tabs' own namespace: what stands there is restored as a tab. */
const PREFIX = 'cloutagent-runs:';

async function asBase64(data: Blob): Promise<string> {
  const bytes = new Uint8Array(await data.arrayBuffer());
  let text = '';
  // In pieces: a browser takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

export class LabHost implements Host {
  constructor(private _options: LabHostOptions) {}

  async open(name: string, data: Blob): Promise<string> {
    const { browser, commands, contents } = this._options;
    const folder = browser?.model.path ?? '';
    const path = await this._free(folder, name);
    if (PathExt.extname(name) === '.ipynb') {
      const content: unknown = JSON.parse(await data.text());
      await contents.save(path, { type: 'notebook', format: 'json', content });
    } else {
      await contents.save(path, { type: 'file', format: 'base64', content: await asBase64(data) });
    }
    await commands.execute('docmanager:open', { path, options: { mode: 'split-right' } });
    return path;
  }

  /** `name` in `folder`, or `name 2`, `name 3`, … where there is one already. */
  private async _free(folder: string, name: string): Promise<string> {
    const { contents } = this._options;
    const listed = (await contents.get(folder, { content: true })).content as Contents.IModel[];
    const taken = new Set(listed.map(each => each.name));
    const suffix = PathExt.extname(name);
    const stem = name.slice(0, name.length - suffix.length);
    let free = name;
    for (let count = 2; taken.has(free); count++) {
      free = `${stem} ${count}${suffix}`;
    }
    return PathExt.join(folder, free);
  }

  async chooseFiles(): Promise<string[]> {
    const { browser, trans, translator } = this._options;
    if (!browser) {
      await new Dialog({
        title: trans.__('There is no file browser'),
        body: trans.__('Upload the files from this computer instead.'),
        buttons: [Dialog.okButton()]
      }).launch();
      return [];
    }
    const { FileDialog } = await import('@jupyterlab/filebrowser');
    const chosen = await FileDialog.getOpenFiles({
      manager: browser.model.manager,
      title: trans.__('Files for the run'),
      translator
    });
    const files = chosen.value?.filter(each => each.type !== 'directory') ?? [];
    return chosen.button.accept ? files.map(each => each.path) : [];
  }

  async recall(key: string): Promise<unknown> {
    return (await this._options.state?.fetch(PREFIX + key)) ?? null;
  }

  async remember(key: string, value: unknown): Promise<void> {
    await this._options.state?.save(PREFIX + key, value as ReadonlyPartialJSONValue);
  }
}
