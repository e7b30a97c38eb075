import { describe, expect, it, vi } from 'vitest';

import all from '../index';

// Lab's notebooks need a real page to be loaded; plugins need but the tokens.
vi.mock('@jupyterlab/notebook', () => ({ INotebookTracker: {}, NotebookActions: {} }));

/** What each file of this folder exports. */
const files = import.meta.glob<Record<string, unknown>>(['./*.ts', '!./*.spec.ts'], { eager: true });

function isPlugin(value: unknown): value is { id: string } {
  return typeof value === 'object' && value !== null && 'activate' in value && 'id' in value;
}

describe('the plugins', () => {
  it('stand in one file each, which is called as the plugin is', () => {
    const found = Object.entries(files).map(([path, exported]) => [
      path.replace(/^\.\/|\.ts$/g, ''),
      Object.values(exported)
        .filter(isPlugin)
        .map(plugin => plugin.id)
    ]);
    expect(found).toEqual(found.map(([name]) => [name, [`cloutagent:${name}`]]));
  });

  it('are all built, each once, and say what they are for', () => {
    const names = Object.keys(files).map(path => path.replace(/^\.\/(.+)\.ts$/, 'cloutagent:$1'));
    expect(all.map(plugin => plugin.id).sort()).toEqual(names.sort());
    expect(all.filter(plugin => !plugin.description)).toEqual([]);
  });
});
