import { ReactFlowProvider } from '@xyflow/react';
import { render } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { Client } from '../api/client';
import { openTab, PlainOutput, trans } from '../testing/tab';
import { TabProvider, UiProvider } from '../ui/context';
import { Overview } from './Overview';

describe('the minimap', () => {
  afterEach(() => void vi.restoreAllMocks());

  it('is painted anew with each theme, from one dark theme to another too', () => {
    const clearRect = vi.fn();
    const context = new Proxy({ clearRect }, { get: (own, name) => own[name as never] ?? (() => undefined) });
    vi.spyOn(HTMLCanvasElement.prototype, 'getContext').mockReturnValue(context as never);
    const { actions, server, shell, preferences } = openTab();
    const client = new Client(server.transport, 'http://127.0.0.1:8888/cloutagent/api/v1');
    const wearing = (theme: string) => (
      <UiProvider value={{ trans, client, RenderOutput: PlainOutput, dark: true, theme, shell, preferences }}>
        <TabProvider value={{ store: actions.store, actions }}>
          <ReactFlowProvider>
            <Overview moved={() => undefined} />
          </ReactFlowProvider>
        </TabProvider>
      </UiProvider>
    );
    const view = render(wearing('JupyterLab Dark'));
    const before = clearRect.mock.calls.length;
    view.rerender(wearing('JupyterLab Dark High Contrast'));
    expect(clearRect.mock.calls.length).toBe(before + 1);
  });
});
