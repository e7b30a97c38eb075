/**
 * Outputs through Lab's rendermime: its sanitizer, its Markdown, its terminal colours, its mime extensions.
 *
 * Relative links and pictures are files of the execution; they are fetched with the user's proof of
 * identity and handed on as object URLs, which go when the output goes.
 */
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { MimeModel } from '@jupyterlab/rendermime';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { useEffect, useRef } from 'react';

import type { Client } from '../api/client';
import type { RenderOutput } from '../ui/context';

/** Resolves relative links to files of one execution. */
class ExecutionFiles implements IRenderMime.IResolver {
  constructor(
    private _client: Client,
    private _executionId: string
  ) {}

  async resolveUrl(url: string): Promise<string> {
    return url;
  }

  async getDownloadUrl(url: string): Promise<string> {
    const path = decodeURIComponent(url.replace(/^\.?\//, '').replace(/[?#].*$/, ''));
    const made = URL.createObjectURL(await this._client.executionFile(this._executionId, path));
    this._made.push(made);
    if (this._disposed) {
      this.dispose();
    }
    return made;
  }

  isLocal(url: string): boolean {
    return !/^([a-z][a-z0-9+.-]*:|\/\/|#)/i.test(url);
  }

  dispose(): void {
    this._disposed = true;
    this._made.splice(0).forEach(url => URL.revokeObjectURL(url));
  }

  private _made: string[] = [];
  private _disposed = false;
}

export function renderOutputWith(registry: IRenderMimeRegistry, client: Client): RenderOutput {
  return function LabOutput({ data, executionId }) {
    const host = useRef<HTMLDivElement>(null);
    useEffect(() => {
      const node = host.current;
      if (!node) {
        return;
      }
      const files = executionId ? new ExecutionFiles(client, executionId) : null;
      const rendermime = files ? registry.clone({ resolver: files }) : registry;
      const bundle = data as ReadonlyPartialJSONObject;
      const type = rendermime.preferredMimeType(bundle, 'ensure');
      let renderer: IRenderMime.IRenderer | null = null;
      if (type) {
        renderer = rendermime.createRenderer(type);
        MessageLoop.sendMessage(renderer, Widget.Msg.BeforeAttach);
        node.replaceChildren(renderer.node);
        MessageLoop.sendMessage(renderer, Widget.Msg.AfterAttach);
        // What a renderer cannot show it says in its own node; there is nothing to add.
        renderer.renderModel(new MimeModel({ data: bundle, trusted: false })).catch(() => undefined);
      } else {
        node.textContent = String(data['text/plain'] ?? '');
      }
      return () => {
        if (renderer) {
          MessageLoop.sendMessage(renderer, Widget.Msg.BeforeDetach);
          renderer.node.remove();
          MessageLoop.sendMessage(renderer, Widget.Msg.AfterDetach);
          renderer.dispose();
        }
        files?.dispose();
      };
      // The bundle is a new object each time; its content is what counts.
      // eslint-disable-next-line react-hooks/exhaustive-deps
    }, [JSON.stringify(data), executionId]);
    return <div className="ca-Rendered" ref={host} />;
  };
}
