/**
 * The left sidebar "Agents": projects, and the latest executions.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, NO_ARGS } from '../commands';
import { IAgents } from '../tokens';
import { agentIcon } from '../widgets/icons';
import { SidebarWidget } from '../widgets/SidebarWidget';

import { IProjectTracker } from './project';
import { IProjectWork } from './projects';

/** Place among the sidebar's tabs: after files, running and Git. */
const RANK = 550;

export const sidebar: JupyterFrontEndPlugin<void> = {
  id: 'cloutagent:sidebar',
  description: 'Lists agent projects and their latest executions.',
  autoStart: true,
  requires: [IAgents, IProjectTracker, IProjectWork],
  optional: [ITranslator, ICommandPalette, ILauncher, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    agents: IAgents,
    tracker: IProjectTracker,
    work: IProjectWork,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('cloutagent');
    const { commands, shell } = app;
    const widget = new SidebarWidget({
      agents,
      trans,
      onOpen: (id, execution) => void commands.execute(CommandIDs.openProject, { id, execution }),
      onCommand: (command, args) => void commands.execute(command, args),
      onFiles: files => void work().then(loaded => loaded.importFiles(files))
    });
    shell.add(widget, 'left', { rank: RANK, type: 'Agents' });
    restorer?.add(widget, 'cloutagent-sidebar');
    const tell = () => {
      const ids: string[] = [];
      tracker.forEach(each => {
        ids.push(each.projectId);
        each.disposed.connect(tell, widget);
      });
      widget.setOpen(new Set(ids), tracker.currentWidget?.projectId ?? null);
    };
    tracker.currentChanged.connect(tell, widget);
    tracker.widgetAdded.connect(tell, widget);

    commands.addCommand(CommandIDs.showProjects, {
      label: trans.__('Agent Projects'),
      caption: trans.__('Show agent projects and their executions'),
      icon: agentIcon,
      describedBy: { args: NO_ARGS },
      execute: () => {
        shell.activateById(widget.id);
        widget.focus();
      }
    });
    const category = trans.__('Agents');
    palette?.addItem({ command: CommandIDs.showProjects, category });
    launcher?.add({ command: CommandIDs.showProjects, category, rank: 1 });
  }
};
