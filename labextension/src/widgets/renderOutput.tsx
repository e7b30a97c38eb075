/**
 * Outputs through Lab's rendermime: its sanitizer, its Markdown, its formulas, its mime extensions.
 *
 * Relative pictures and links are files of the execution: pictures are fetched with the user's proof of
 * identity and put in as data, links are handed to the view.
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

import { FILE, sealing } from './sealed';
import { typesetting } from './typesetting';

function asDataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error('unreadable'));
    reader.readAsDataURL(blob);
  });
}

/** A path inside the workspace, whatever way a link spells it. */
function pathOf(url: string): string {
  return decodeURIComponent(
    url
      .replace(FILE, '')
      .replace(/^\.?\//, '')
      .replace(/[?#].*$/, '')
  );
}

/** Resolves relative pictures to the bytes of an execution's files. */
function filesOf(client: Client, executionId: string): IRenderMime.IResolver {
  return {
    resolveUrl: async url => url,
    getDownloadUrl: async url =>
      url.startsWith(FILE) ? asDataUrl(await client.executionFile(executionId, pathOf(url))) : '#',
    isLocal: url => url.startsWith(FILE) || !/^([a-z][a-z0-9+.-]*:|\/\/|#)/i.test(url)
  };
}

/** Links to files of the execution are shown by `onFile`. */
function linksTo(onFile: (path: string) => void): IRenderMime.ILinkHandler {
  return {
    handleLink: (node, path) => {
      node.addEventListener('click', event => {
        event.preventDefault();
        onFile(pathOf(path));
      });
    }
  };
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
  return function LabOutput({ data, executionId, onFile }) {
    const host = useRef<HTMLDivElement>(null);
    const renderer = useRef<IRenderMime.IRenderer | null>(null);
    const show = useRef(onFile);
    show.current = onFile;
    const bundle = data as ReadonlyPartialJSONObject;
    const type = registry.preferredMimeType(bundle, 'ensure');
    // One renderer as long as the kind of output stays the same: text that grows does not flicker.
    useEffect(() => {
      if (!host.current || !type) {
        return;
      }
      const made = registry
        .clone({
          sanitizer: sealing(registry.sanitizer),
          resolver: executionId ? filesOf(client, executionId) : undefined,
          linkHandler: linksTo(path => show.current?.(path)),
          latexTypesetter: typesetting(registry.latexTypesetter)
        })
        .createRenderer(type);
      renderer.current = made;
      attach(made, host.current);
      return () => {
        renderer.current = null;
        detach(made);
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
