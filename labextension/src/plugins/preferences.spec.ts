import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Signal } from '@lumino/signaling';
import { describe, expect, it, vi } from 'vitest';

import shown from '../../schema/project.json?raw';
import { DEFAULTS } from '../stores/preferences';
import type { PreferencesStore } from '../stores/preferences';
import { preferences } from './preferences';

const APP = {} as JupyterFrontEnd;

/** Lab's settings of one plugin. */
class FakeSettings {
  values: Record<string, unknown> = { ...DEFAULTS };
  readonly set = vi.fn(async (name: string, value: unknown) => {
    this.values[name] = value;
    this.changed.emit();
  });
  readonly changed = new Signal<this, void>(this);

  get(name: string) {
    return { composite: this.values[name], user: undefined };
  }
}

function activate(settings: FakeSettings | Error) {
  const load = vi.fn(async () => {
    if (settings instanceof Error) {
      throw settings;
    }
    return settings;
  });
  const registry = { load } as unknown as ISettingRegistry;
  return preferences.activate(APP, registry) as PreferencesStore;
}

describe('preferences', () => {
  it('are what Lab’s settings say, and follow them', async () => {
    const settings = new FakeSettings();
    settings.values.autosaveDelay = 30;
    const store = activate(settings);
    await store.ready;
    expect(store.getState()).toMatchObject({ autosave: true, autosaveDelay: 30 });
    await settings.set('autosave', false);
    expect(store.getState().autosave).toBe(false);
  });

  it('write down what is chosen in a view', async () => {
    const settings = new FakeSettings();
    const store = activate(settings);
    await store.ready;
    store.choose('tourSeen', true);
    await vi.waitFor(() => expect(settings.set).toHaveBeenCalledWith('tourSeen', true));
    expect(store.getState().tourSeen).toBe(true);
  });

  it('are the defaults where settings cannot be read', async () => {
    const store = activate(new Error('no schema'));
    await store.ready;
    expect(store.getState()).toEqual(DEFAULTS);
  });

  it('have the defaults of the schema that Lab shows', () => {
    const schema = JSON.parse(shown) as {
      properties: Record<string, { default: unknown }>;
    };
    const defaults = Object.entries(schema.properties).map(([name, each]) => [name, each.default]);
    expect(Object.fromEntries(defaults)).toEqual(DEFAULTS);
  });
});
