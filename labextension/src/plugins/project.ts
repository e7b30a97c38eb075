/**
 * Project tabs: opening them, bringing them back after a reload, and commands for the one in front.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILabStatus, ILayoutRestorer } from '@jupyterlab/application';
import type { IWidgetTracker } from '@jupyterlab/apputils';
import { ICommandPalette, IThemeManager, WidgetTracker } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';

import { CommandIDs, NO_ARGS, described } from '../commands';
import { IAgents, IPreferences } from '../tokens';
import { lazily } from '../ui/lazily';
import { agentIcon, checkIcon, iconOf, runIcon, saveIcon, stopIcon } from '../widgets/icons';
import type { ProjectWidget } from '../widgets/ProjectWidget';

/** Open project tabs. */
export type IProjectTracker = IWidgetTracker<ProjectWidget>;
export const IProjectTracker = new Token<IProjectTracker>(
  'cloutagent:IProjectTracker',
  'A tracker of open agent project tabs.'
);

export const project: JupyterFrontEndPlugin<IProjectTracker> = {
  id: 'cloutagent:project',
  description: 'Opens agent projects as tabs with a canvas and an execution monitor.',
  autoStart: true,
  provides: IProjectTracker,
  requires: [IAgents, IRenderMimeRegistry, IPreferences],
  optional: [
    ITranslator,
    ILayoutRestorer,
    ICommandPalette,
    IThemeManager,
    ILabStatus,
    IDefaultFileBrowser,
    IStateDB
  ],
  activate: (
    app: JupyterFrontEnd,
    agents: IAgents,
    rendermime: IRenderMimeRegistry,
    preferences: IPreferences,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    themes: IThemeManager | null,
    status: ILabStatus | null,
    browser: IDefaultFileBrowser | null,
    state: IStateDB | null
  ): IProjectTracker => {
    const trans = (translator ?? nullTranslator).load('cloutagent');
    const tracker = new WidgetTracker<ProjectWidget>({ namespace: 'cloutagent' });
    const { commands, shell } = app;

    // Canvas, stores and all that a tab needs are loaded with the first tab.
    const opener = lazily(async () => {
      const [{ ProjectOpener }, client] = await Promise.all([
        import('../widgets/projectOpener'),
        agents.client()
      ]);
      return new ProjectOpener({
        app,
        tracker,
        agents,
        client,
        rendermime,
        preferences,
        translator: translator ?? nullTranslator,
        themes,
        status,
        browser,
        state
      });
    });

    commands.addCommand(CommandIDs.openProject, {
      label: trans.__('Open Agent Project'),
      caption: trans.__('Open an agent project by id or name'),
      icon: agentIcon,
      describedBy: described('OPEN_PROJECT_ARGS'),
      execute: async args => (await opener()).open(args)
    });

    const current = () => (shell.currentWidget === tracker.currentWidget ? tracker.currentWidget : null);
    commands.addCommand(CommandIDs.run, {
      label: trans.__('Run Agent'),
      caption: trans.__('Run the agent of the project in front'),
      icon: runIcon,
      describedBy: { args: NO_ARGS },
      isEnabled: () => current() !== null,
      execute: () => current()?.actions.run()
    });
    commands.addCommand(CommandIDs.stop, {
      label: trans.__('Stop Agent Execution'),
      caption: trans.__('Stop the execution that the project in front shows'),
      icon: stopIcon,
      describedBy: { args: NO_ARGS },
      isEnabled: () => current()?.isRunning ?? false,
      execute: () => current()?.actions.stop()
    });
    commands.addCommand(CommandIDs.check, {
      label: trans.__('Check Agent Project'),
      caption: trans.__('Check the project in front without running anything'),
      icon: checkIcon,
      describedBy: { args: NO_ARGS },
      isEnabled: () => current() !== null,
      execute: () => current()?.actions.checkAloud()
    });
    commands.addCommand(CommandIDs.save, {
      label: trans.__('Save Agent Project'),
      caption: trans.__('Save the changes of the project in front'),
      icon: saveIcon,
      describedBy: { args: NO_ARGS },
      isEnabled: () => current()?.canSave ?? false,
      execute: () => current()?.actions.save()
    });
    commands.addCommand(CommandIDs.showVersions, {
      label: trans.__('Agent Project Versions'),
      caption: trans.__('Compare, label, restore and publish versions of the project in front'),
      icon: iconOf('history'),
      describedBy: { args: NO_ARGS },
      isEnabled: () => current() !== null,
      execute: () => current()?.actions.cover('versions')
    });
    commands.addCommand(CommandIDs.showApi, {
      label: trans.__('Call Agent Project from Programs'),
      caption: trans.__('Keys and programs that call the project in front'),
      icon: iconOf('api'),
      describedBy: { args: NO_ARGS },
      isEnabled: () => current() !== null,
      execute: () => current()?.actions.cover('api')
    });
    commands.addCommand(CommandIDs.startTour, {
      label: trans.__('First Steps with Agents'),
      caption: trans.__('Show the four first steps in the project in front'),
      icon: agentIcon,
      describedBy: { args: NO_ARGS },
      isEnabled: () => current() !== null,
      execute: () => current()?.actions.showTour(0)
    });
    // Lumino's menus leave the focus nowhere; whoever came by keyboard goes on where they were.
    commands.commandExecuted.connect((_, { id }) => {
      if (id.startsWith('cloutagent:') && document.activeElement === document.body) {
        current()?.focusBack();
      }
    });
    const category = trans.__('Agents');
    for (const command of [
      CommandIDs.run,
      CommandIDs.stop,
      CommandIDs.check,
      CommandIDs.save,
      CommandIDs.showVersions,
      CommandIDs.showApi,
      CommandIDs.startTour
    ]) {
      palette?.addItem({ command, category });
    }
    if (restorer) {
      void restorer.restore(tracker, {
        command: CommandIDs.openProject,
        args: widget => ({ id: widget.projectId }),
        name: widget => widget.projectId
      });
    }
    return tracker;
  }
};
