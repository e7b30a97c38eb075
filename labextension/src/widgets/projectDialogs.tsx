/**
 * Lab's dialogs around views about projects: the template gallery, backups, what an import could not take.
 */
import { Dialog, ReactWidget, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Suspense, lazy } from 'react';
import type { ReactNode } from 'react';

import type { Client } from '../api/client';
import type { Restored } from '../api/types';
import type { Choice } from '../projects/Gallery';
import type { ShellPort } from '../ui/port';

const Gallery = lazy(() => import('../projects/Gallery').then(module => ({ default: module.Gallery })));
const Backups = lazy(() => import('../projects/Backups').then(module => ({ default: module.Backups })));
const Warnings = lazy(() => import('../projects/Warnings').then(module => ({ default: module.Warnings })));

/** A view as the body of a dialog. */
class Body extends ReactWidget {
  constructor(private _view: ReactNode) {
    super();
  }

  protected render(): JSX.Element {
    return <Suspense fallback={null}>{this._view}</Suspense>;
  }
}

/** Let the person choose a template and a name; null when they think better of it. */
export async function chooseTemplate(
  trans: TranslationBundle,
  client: Client,
  taken: readonly string[]
): Promise<Choice | null> {
  let choice: Choice | null = null;
  const body = new Body(
    <Gallery
      trans={trans}
      client={client}
      taken={taken}
      onChoose={now => {
        choice = now;
      }}
      onDone={() => dialog.resolve(1)}
    />
  );
  const dialog: Dialog<unknown> = new Dialog<unknown>({
    title: trans.__('New agent project'),
    body,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: trans.__('Create') })
    ]
  });
  dialog.addClass('ca-GalleryDialog');
  // The dialog puts the focus on its button when it is drawn, which may be after the templates have come.
  void dialog.ready.then(() => dialog.node.querySelector<HTMLElement>('input[type=radio]:checked')?.focus());
  const answer = await dialog.launch();
  return answer.button.accept ? choice : null;
}

export async function showBackups(options: {
  trans: TranslationBundle;
  client: Client;
  shell: ShellPort;
  onRestored: (restored: Restored) => void;
}): Promise<void> {
  const { trans } = options;
  const dialog = new Dialog<unknown>({
    title: trans.__('Backups'),
    body: new Body(<Backups {...options} />),
    // The view has the one button that stands out.
    buttons: [Dialog.cancelButton({ label: trans.__('Close') })]
  });
  dialog.addClass('ca-BackupsDialog');
  await dialog.launch();
}

/** What an import left out, or has to be looked at. */
export async function showWarnings(
  trans: TranslationBundle,
  name: string,
  warnings: readonly string[]
): Promise<void> {
  await showDialog({
    title: trans.__('"%1" was imported; look at this', name),
    body: new Body(<Warnings warnings={warnings} />),
    buttons: [Dialog.okButton({ label: trans.__('Open the project') })]
  });
}
