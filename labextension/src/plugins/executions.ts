/**
 * Commands for the execution that the project in front shows.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, NO_ARGS } from '../commands';
import { iconOf } from '../widgets/icons';

import { IProjectTracker } from './project';

export const executions: JupyterFrontEndPlugin<void> = {
  id: 'cloutagent:executions',
  description: 'Runs with values of the moment, runs again, and opens executions as notebooks.',
  autoStart: true,
  requires: [IProjectTracker],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    tracker: IProjectTracker,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('cloutagent');
    const { commands, shell } = app;
    const current = () => (shell.currentWidget === tracker.currentWidget ? tracker.currentWidget : null);
    commands.addCommand(CommandIDs.runWith, {
      label: trans.__('Run Agent With…'),
      caption: trans.__('Run the project in front with a prompt, values, files and limits of this run'),
      icon: iconOf('tune'),
      describedBy: { args: NO_ARGS },
      isEnabled: () => current() !== null,
      execute: () => current()?.actions.runs.ask()
    });
    commands.addCommand(CommandIDs.runAgain, {
      label: trans.__('Run Agent Again'),
      caption: trans.__('Run once more what the project in front shows: version, prompt and values'),
      icon: iconOf('again'),
      describedBy: { args: NO_ARGS },
      isEnabled: () => Boolean(current()?.executionId),
      execute: () => current()?.actions.runs.again()
    });
    commands.addCommand(CommandIDs.openAsNotebook, {
      label: trans.__('Open Agent Execution as Notebook'),
      caption: trans.__('Open the execution that the project in front shows as a notebook'),
      icon: iconOf('notebook'),
      describedBy: { args: NO_ARGS },
      isEnabled: () => Boolean(current()?.executionId),
      execute: () => current()?.actions.runs.openNotebook()
    });
    const category = trans.__('Agents');
    [CommandIDs.runWith, CommandIDs.runAgain, CommandIDs.openAsNotebook].forEach(command =>
      palette?.addItem({ command, category })
    );
  }
};
