/**
 * Project tabs: opening them, bringing them back after a reload, and commands for the one in front.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILabStatus, ILayoutRestorer } from '@jupyterlab/application';
import type { IWidgetTracker } from '@jupyterlab/apputils';
import { ICommandPalette, IThemeManager, WidgetTracker, showErrorMessage } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';
import type { DockLayout } from '@lumino/widgets';

import type { Client } from '../api/client';
import { CommandIDs, NO_ARGS, OPEN_PROJECT_ARGS } from '../commands';
import { IAgents, IPreferences } from '../tokens';
import type { Host } from '../ui/host';
import { agentIcon, checkIcon, iconOf, runIcon, saveIcon, stopIcon } from '../widgets/icons';
import type { ProjectWidget } from '../widgets/ProjectWidget';

/** Open project tabs. */
export type IProjectTracker = IWidgetTracker<ProjectWidget>;
export const IProjectTracker = new Token<IProjectTracker>(
  'cloutagent:IProjectTracker',
  'A tracker of open agent project tabs.'
);

/** The id of the project called `name`; null when there is none. */
async function idOf(client: Client, name: string): Promise<string | null> {
  const page = await client.projects(name);
  const same = page.items.filter(row => row.name === name);
  return same[0]?.id ?? null;
}

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
    let host: Host | null = null;

    const open = async (id: string, mode: DockLayout.InsertMode | undefined): Promise<ProjectWidget> => {
      // Canvas, stores and all that a tab needs are loaded with the first tab.
      const [{ ProjectWidget }, { LabHost }] = await Promise.all([
        import('../widgets/ProjectWidget'),
        import('../widgets/host')
      ]);
      const known = tracker.find(widget => widget.projectId === id);
      if (known) {
        shell.activateById(known.id);
        return known;
      }
      host ??= new LabHost({
        contents: app.serviceManager.contents,
        commands,
        browser,
        state,
        trans,
        translator: translator ?? nullTranslator
      });
      const widget = new ProjectWidget({
        projectId: id,
        agents,
        rendermime,
        trans,
        themes,
        status,
        preferences,
        host
      });
      // Beside the projects that are open, so that it does not cover the notebook that one works in.
      const other = tracker.find(each => each.isAttached && !each.isDisposed);
      const beside = mode === undefined && other ? { mode: 'tab-after' as const, ref: other.id } : { mode };
      shell.add(widget, 'main', { ...beside, type: 'Agent project' });
      await tracker.add(widget);
      shell.activateById(widget.id);
      return widget;
    };

    commands.addCommand(CommandIDs.openProject, {
      label: trans.__('Open Agent Project'),
      caption: trans.__('Open an agent project by id or name'),
      icon: agentIcon,
      describedBy: { args: OPEN_PROJECT_ARGS },
      execute: async args => {
        const name = args.name ? String(args.name) : null;
        const id = args.id ? String(args.id) : name && (await idOf(agents.client, name));
        if (!id) {
          await showErrorMessage(
            trans.__('No such agent project'),
            name
              ? trans.__('No project is called "%1". Look in the sidebar "Agents" for those there are.', name)
              : trans.__('Name the project to open, or choose it in the sidebar "Agents".')
          );
          return null;
        }
        const widget = await open(id, args.mode as DockLayout.InsertMode | undefined);
        if (args.execution) {
          await widget.actions.look(String(args.execution));
          widget.actions.showTab('steps');
        }
        if (args.notebook) {
          await commands.execute('docmanager:open', {
            path: String(args.notebook),
            factory: 'Notebook',
            options: { mode: 'split-right', ref: widget.id }
          });
        }
        return widget;
      }
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
