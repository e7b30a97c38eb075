/**
 * Opens a project from the address: `…/lab?cloutagent=Sales%20analyst`, and beside it a notebook with
 * `&cloutagent-notebook=first.ipynb`. A project's id serves as well as its name.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRouter } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, described } from '../commands';

const PROJECT = 'cloutagent';
const NOTEBOOK = 'cloutagent-notebook';
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A launcher that Lab put into the empty main area has nothing to offer beside what the address named. */
function closeLauncher(app: JupyterFrontEnd): void {
  for (const widget of [...app.shell.widgets('main')]) {
    if (widget.node.querySelector('.jp-Launcher')) {
      widget.close();
    }
  }
}

export const url: JupyterFrontEndPlugin<void> = {
  id: 'cloutagent:url',
  description: 'Opens the agent project that the address names.',
  autoStart: true,
  requires: [IRouter],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, router: IRouter, translator: ITranslator | null): void => {
    const trans = (translator ?? nullTranslator).load('cloutagent');
    const { commands } = app;
    commands.addCommand(CommandIDs.openFromUrl, {
      label: trans.__('Open the Agent Project of the Address'),
      describedBy: described('URL_ARGS'),
      isVisible: () => false,
      execute: args => {
        const location = args as unknown as IRouter.ILocation;
        const parameters = new URLSearchParams(location.search ?? '');
        const wanted = parameters.get(PROJECT);
        if (!wanted || parameters.has('reset')) {
          return; // Lab's own reset loads the page again, without this word and with ours.
        }
        const notebook = parameters.get(NOTEBOOK) ?? undefined;
        parameters.delete(PROJECT);
        parameters.delete(NOTEBOOK);
        // Said once: after a reload the layout itself brings the tabs back.
        const rest = parameters.toString();
        const path = `${location.path}${rest ? `?${rest}` : ''}${location.hash ?? ''}`;
        void app.restored.then(async () => {
          router.navigate(path, { skipRouting: true });
          const id = ID.test(wanted) ? { id: wanted } : { name: wanted };
          await commands.execute(CommandIDs.openProject, { ...id, notebook });
          closeLauncher(app);
        });
      }
    });
    router.register({ command: CommandIDs.openFromUrl, pattern: /[?&]cloutagent=/, rank: 30 });
  }
};
