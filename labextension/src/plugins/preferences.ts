/**
 * Provides `IPreferences`: the page "Agent projects" of Lab's settings, as a store that views read.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { DEFAULTS, createPreferences } from '../stores/preferences';
import type { Preferences, PreferencesStore } from '../stores/preferences';
import { IPreferences } from '../tokens';

/** The plugin whose schema file holds the settings. */
const PLUGIN = 'cloutagent:project';

/** What `settings` says, of what a preference can be. */
function read(settings: ISettingRegistry.ISettings): Partial<Preferences> {
  const known = Object.keys(DEFAULTS) as (keyof Preferences)[];
  return Object.fromEntries(
    known.map(name => [name, settings.get(name).composite]).filter(([, value]) => value !== undefined)
  ) as Partial<Preferences>;
}

export const preferences: JupyterFrontEndPlugin<PreferencesStore> = {
  id: 'cloutagent:preferences',
  description: 'Provides what a person has set for all agent projects.',
  autoStart: true,
  provides: IPreferences,
  optional: [ISettingRegistry],
  activate: (_: JupyterFrontEnd, registry: ISettingRegistry | null): PreferencesStore => {
    const loading = registry?.load(PLUGIN);
    const store: PreferencesStore = createPreferences({
      // Settings that cannot be read leave the defaults in place; Lab itself says what is wrong with them.
      ready: loading?.then(
        settings => {
          const update = () => store.setState(read(settings));
          settings.changed.connect(update, settings);
          update();
        },
        () => undefined
      ),
      keep: (name, value) => void loading?.then(settings => settings.set(name, value))
    });
    return store;
  }
};
