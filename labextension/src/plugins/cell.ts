/**
 * "Add a cell that calls this project": into the notebook that was used last.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, showErrorMessage } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, described } from '../commands';
import { IAgents } from '../tokens';
import { iconOf } from '../widgets/icons';

import { IProjectTracker } from './project';

export const cell: JupyterFrontEndPlugin<void> = {
  id: 'cloutagent:cell',
  description: 'Adds a cell that runs an agent project to the open notebook.',
  autoStart: true,
  requires: [IAgents, IProjectTracker],
  optional: [INotebookTracker, ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    agents: IAgents,
    tracker: IProjectTracker,
    notebooks: INotebookTracker | null,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ): void => {
    if (!notebooks) {
      return; // Lab without notebooks has nowhere to put a cell.
    }
    const trans = (translator ?? nullTranslator).load('cloutagent');
    app.commands.addCommand(CommandIDs.addCell, {
      label: trans.__('Add Cell That Calls This Agent Project'),
      caption: trans.__('Below the active cell of the notebook that was used last'),
      icon: iconOf('notebook'),
      describedBy: described('CELL_ARGS'),
      isEnabled: () => notebooks.currentWidget !== null,
      execute: async args => {
        const panel = notebooks.currentWidget;
        const id = args.id ? String(args.id) : tracker.currentWidget?.projectId;
        if (!panel || !id) {
          await showErrorMessage(
            trans.__('No cell was added'),
            panel
              ? trans.__('Open the agent project that the cell shall call.')
              : trans.__('Open the notebook that shall get the cell.')
          );
          return null;
        }
        const [client, { addCell }] = await Promise.all([agents.client(), import('../widgets/addCell')]);
        const added = await addCell(panel, (await client.project(id)).project);
        app.shell.activateById(panel.id);
        return added;
      }
    });
    palette?.addItem({ command: CommandIDs.addCell, category: trans.__('Agents') });
  }
};
