/**
 * A project tab for tests: the real store and actions on a fake server, views inside their contexts.
 */
import { render } from '@testing-library/react';
import type { RenderResult } from '@testing-library/react';

import { Client, definitionOf } from '../api/client';
import { LiveExecutions } from '../api/live';
import type { Definition } from '../api/types';
import { begin } from '../graph/history';
import { ProjectActions } from '../stores/actions';
import { fold } from '../stores/fold';
import { emptyMonitor } from '../stores/monitor';
import { createProjectStore } from '../stores/project';
import type { ProjectState } from '../stores/project';
import { TabProvider, UiProvider } from '../ui/context';
import type { RenderOutput } from '../ui/context';
import type { Translation } from '../ui/labels';

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
  _n: (one, many, count, ...values) => fill(count === 1 ? one : many, values)
};

/** Shows the text of a bundle as it is. */
export const PlainOutput: RenderOutput = ({ data }) => (
  <div data-testid="rendered">{Object.values(data).join('')}</div>
);

export interface Tab {
  live: LiveExecutions;
  server: FakeServer;
  actions: ProjectActions;
  state: () => ProjectState;
  show: (view: JSX.Element) => RenderResult;
}

export function openTab(
  options: { routes?: Record<string, Answer>; state?: Partial<ProjectState>; log?: Sketch[] } = {}
): Tab {
  const project = sampleProject();
  const server = new FakeServer(options.routes ?? {});
  const client = new Client(server.transport);
  const live = new LiveExecutions(client);
  const store = createProjectStore(project.id);
  const definition: Definition = definitionOf(project);
  const monitor = options.log ? fold(emptyMonitor('e1'), logOf(options.log)) : null;
  store.setState({
    saved: project,
    etag: '"1"',
    history: begin(definition),
    monitor,
    executionId: monitor ? 'e1' : null,
    ...options.state
  });
  const actions = new ProjectActions(store, client, live);
  return {
    live,
    server,
    actions,
    state: store.getState,
    show: view =>
      render(
        <UiProvider value={{ trans, client, RenderOutput: PlainOutput, dark: false }}>
          <TabProvider value={{ store, actions }}>{view}</TabProvider>
        </UiProvider>
      )
  };
}
