/**
 * A project tab for tests: the real store and actions on a fake server, views inside their contexts.
 */
import { render } from '@testing-library/react';
import type { RenderResult } from '@testing-library/react';

import { Client } from '../api/client';
import { definitionOf } from '../api/definition';
import { LiveExecutions } from '../api/live';
import type { Definition } from '../api/types';
import { begin } from '../graph/history';
import { ProjectActions } from '../stores/actions';
import { fold } from '../stores/fold';
import { Log } from '../stores/log';
import { emptyMonitor } from '../stores/monitor';
import { createPreferences } from '../stores/preferences';
import type { Preferences, PreferencesStore } from '../stores/preferences';
import { createProjectStore } from '../stores/project';
import { NO_RUNS } from '../stores/runs';
import type { ProjectState } from '../stores/project';
import { TabProvider, UiProvider } from '../ui/context';
import type { RenderOutput } from '../ui/context';
import type { Host } from '../ui/host';
import type { Translation } from '../ui/labels';
import type { MenuEntry, Question, ShellPort } from '../ui/port';

import { sampleProject } from './definition';
import { logOf } from './events';
import type { Sketch } from './events';
import type { Answer } from './server';
import { FakeServer } from './server';

function fill(text: string, values: (string | number)[]): string {
  return text.replace(/%(\d)/g, (_, index: string) => String(values[Number(index) - 1]));
}

export const trans: Translation = {
  __: (text, ...values) => fill(text, values),
  // As Lab does: the number is the first value.
  _n: (one, many, count, ...values) => fill(count === 1 ? one : many, [count, ...values])
};

/** Shows the text of a bundle as it is. */
export const PlainOutput: RenderOutput = ({ data }) => (
  <div data-testid="rendered">{Object.values(data).join('')}</div>
);

/** A shell that notes what it was asked; questions are answered with yes, unless the test says otherwise. */
export class FakeShell implements ShellPort {
  menu: readonly MenuEntry[] = [];
  readonly questions: Question[] = [];
  readonly kept: { name: string; blob: Blob }[] = [];
  answer = true;
  reloads = 0;

  openMenu(entries: readonly MenuEntry[]): void {
    this.menu = entries;
  }

  async confirm(question: Question): Promise<boolean> {
    this.questions.push(question);
    return this.answer;
  }

  keep(name: string, blob: Blob): void {
    this.kept.push({ name, blob });
  }

  reload(): void {
    this.reloads++;
  }
}

/** A host that remembers, and notes what it was asked to open. */
export class FakeHost implements Host {
  readonly opened: { name: string; data: Blob }[] = [];
  readonly memory = new Map<string, unknown>();
  files: string[] = [];

  async open(name: string, data: Blob): Promise<string> {
    this.opened.push({ name, data });
    return name;
  }

  async chooseFiles(): Promise<string[]> {
    return this.files;
  }

  async recall(key: string): Promise<unknown> {
    return this.memory.get(key) ?? null;
  }

  async remember(key: string, value: unknown): Promise<void> {
    this.memory.set(key, value);
  }
}

export interface Tab {
  shell: FakeShell;
  preferences: PreferencesStore;
  host: FakeHost;
  live: LiveExecutions;
  server: FakeServer;
  actions: ProjectActions;
  state: () => ProjectState;
  show: (view: JSX.Element) => RenderResult;
}

export function openTab(
  options: {
    routes?: Record<string, Answer>;
    state?: Partial<ProjectState>;
    log?: Sketch[];
    preferences?: Partial<Preferences>;
  } = {}
): Tab {
  const project = sampleProject();
  const server = new FakeServer(options.routes ?? {});
  const client = new Client(server.transport, 'http://127.0.0.1:8888/cloutagent/api/v1');
  const live = new LiveExecutions(client);
  const store = createProjectStore(project.id);
  const definition: Definition = definitionOf(project);
  const events = logOf(options.log ?? []);
  const monitor = options.log ? fold(emptyMonitor('e1'), events) : null;
  store.setState({
    saved: project,
    etag: '"1"',
    history: begin(definition),
    monitor,
    executionId: monitor ? 'e1' : null,
    runs: { ...NO_RUNS, events: Log.of(events) },
    ...options.state
  });
  const host = new FakeHost();
  const shell = new FakeShell();
  // Tests say when something is saved; nothing saves itself unless they ask for it.
  const preferences = createPreferences({ initial: { autosave: false, ...options.preferences } });
  const actions = new ProjectActions(store, client, live, host, preferences);
  return {
    shell,
    preferences,
    host,
    live,
    server,
    actions,
    state: store.getState,
    show: view =>
      render(
        <UiProvider
          value={{
            trans,
            client,
            RenderOutput: PlainOutput,
            dark: false,
            theme: 'Light',
            shell,
            preferences
          }}
        >
          <TabProvider value={{ store, actions }}>{view}</TabProvider>
        </UiProvider>
      )
  };
}
