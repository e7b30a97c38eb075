/**
 * The left sidebar "Agents", and the commands that make projects and show them.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { Dialog, ICommandPalette, InputDialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import type { ProjectRow, TemplateRow } from '../api/types';
import { CommandIDs, NEW_PROJECT_ARGS, NO_ARGS } from '../commands';
import { IAgents } from '../tokens';
import { agentIcon } from '../widgets/icons';
import { SidebarWidget } from '../widgets/SidebarWidget';

import { IProjectTracker } from './project';

/** Place among the sidebar's tabs: after files, running and Git. */
const RANK = 550;

/** `name`, or `name 2`, `name 3`, … when it is taken. */
function freeName(name: string, taken: readonly string[]): string {
  let free = name;
  for (let count = 2; taken.includes(free); count++) {
    free = `${name} ${count}`;
  }
  return free;
}

export const sidebar: JupyterFrontEndPlugin<void> = {
  id: 'cloutagent:sidebar',
  description: 'Lists agent projects and their latest executions, and makes new projects.',
  autoStart: true,
  requires: [IAgents, IProjectTracker],
  optional: [ITranslator, ICommandPalette, ILauncher, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    agents: IAgents,
    tracker: IProjectTracker,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('cloutagent');
    const { client } = agents;
    const { commands, shell } = app;

    const create = async (template: Pick<TemplateRow, 'id' | 'name'>, name?: string): Promise<unknown> => {
      const taken = (await client.projects()).items.map(row => row.name);
      const created = await client.createProject(name ?? freeName(template.name, taken), template.id);
      agents.firstKeys.set(created.id, created.api_key);
      agents.notifyProjectsChanged();
      return commands.execute(CommandIDs.openProject, { id: created.id });
    };
    const remove = async (row: ProjectRow): Promise<void> => {
      const answer = await showDialog({
        title: trans.__('Delete "%1"?', row.name),
        body: trans.__('A zip of it goes to the backups first. Its keys stop working at once.'),
        buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Delete') })]
      });
      if (!answer.button.accept) {
        return;
      }
      try {
        await client.deleteProject(row.id);
        tracker.find(widget => widget.projectId === row.id)?.dispose();
      } catch (error) {
        await showErrorMessage(trans.__('Not deleted'), error instanceof Error ? error : String(error));
      }
      agents.notifyProjectsChanged();
    };

    const widget = new SidebarWidget({
      agents,
      trans,
      onOpen: (id, execution) => void commands.execute(CommandIDs.openProject, { id, execution }),
      onCreate: async template => {
        await create(template);
      },
      onDelete: remove
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

    commands.addCommand(CommandIDs.newProject, {
      label: trans.__('New Agent Project'),
      caption: trans.__('Make an agent project from a template'),
      icon: agentIcon,
      describedBy: { args: NEW_PROJECT_ARGS },
      execute: async args => {
        try {
          const templates = (await client.templates()).items;
          let template = templates.find(each => each.id === args.template);
          if (!template) {
            const choice = await InputDialog.getItem({
              title: trans.__('New agent project'),
              label: trans.__('Template'),
              items: templates.map(each => each.name),
              okLabel: trans.__('Create')
            });
            template = choice.button.accept ? templates.find(each => each.name === choice.value) : undefined;
          }
          if (template) {
            return await create(template, args.name ? String(args.name) : undefined);
          }
        } catch (error) {
          await showErrorMessage(
            trans.__('No project was made'),
            error instanceof Error ? error : String(error)
          );
        }
        return null;
      }
    });
    commands.addCommand(CommandIDs.showProjects, {
      label: trans.__('Agent Projects'),
      caption: trans.__('Show agent projects and their executions'),
      icon: agentIcon,
      describedBy: { args: NO_ARGS },
      execute: () => shell.activateById(widget.id)
    });
    const category = trans.__('Agents');
    [CommandIDs.newProject, CommandIDs.showProjects].forEach((command, rank) => {
      palette?.addItem({ command, category });
      launcher?.add({ command, category, rank });
    });
  }
};
