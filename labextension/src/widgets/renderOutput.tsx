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

function attach(renderer: IRenderMime.IRenderer, host: HTMLElement): void {
  MessageLoop.sendMessage(renderer, Widget.Msg.BeforeAttach);
  host.replaceChildren(renderer.node);
  MessageLoop.sendMessage(renderer, Widget.Msg.AfterAttach);
}

function detach(renderer: IRenderMime.IRenderer): void {
  MessageLoop.sendMessage(renderer, Widget.Msg.BeforeDetach);
  renderer.node.remove();
  MessageLoop.sendMessage(renderer, Widget.Msg.AfterDetach);
  renderer.dispose();
}

export function renderOutputWith(registry: IRenderMimeRegistry, client: Client): RenderOutput {
  return function LabOutput({ data, executionId }) {
    const host = useRef<HTMLDivElement>(null);
    const renderer = useRef<IRenderMime.IRenderer | null>(null);
    const bundle = data as ReadonlyPartialJSONObject;
    const type = registry.preferredMimeType(bundle, 'ensure');
    // One renderer as long as the kind of output stays the same: text that grows does not flicker.
    useEffect(() => {
      if (!host.current || !type) {
        return;
      }
      const files = executionId ? new ExecutionFiles(client, executionId) : null;
      const made = (files ? registry.clone({ resolver: files }) : registry).createRenderer(type);
      renderer.current = made;
      attach(made, host.current);
      return () => {
        renderer.current = null;
        detach(made);
        files?.dispose();
      };
    }, [type, executionId]);
    const content = JSON.stringify(data);
    useEffect(() => {
      // What a renderer cannot show it says in its own node; there is nothing to add.
      renderer.current?.renderModel(new MimeModel({ data: bundle, trusted: false })).catch(() => undefined);
      // The bundle is a new object each time; its content is what counts.
      // eslint-disable-next-line react-hooks/exhaustive-deps
    }, [type, executionId, content]);
    return (
      <div className="ca-Rendered" ref={host}>
        {type ? null : String(data['text/plain'] ?? '')}
      </div>
    );
  };
}
