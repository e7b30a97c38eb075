/**
 * Commands about whole projects: make, import, duplicate, export, delete, backups.
 *
 * Provides `IProjectWork`, so that the sidebar's menus and what is dropped there do the same.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Token } from '@lumino/coreutils';

import type { ArchiveFormat } from '../api/admin';
import { CommandIDs, NO_ARGS, described } from '../commands';
import { IAgents } from '../tokens';
import { lazily } from '../ui/lazily';
import { agentIcon, iconOf } from '../widgets/icons';
import type { Named, ProjectWork } from '../widgets/projectWork';

import { IProjectTracker } from './project';

/** Work with whole projects; loaded when it is first needed. */
export type IProjectWork = () => Promise<ProjectWork>;
export const IProjectWork = new Token<IProjectWork>(
  'cloutagent:IProjectWork',
  'Makes, imports, duplicates, exports and deletes agent projects.'
);

export const projects: JupyterFrontEndPlugin<IProjectWork> = {
  id: 'cloutagent:projects',
  description: 'Makes, imports, duplicates, exports, deletes and backs up agent projects.',
  autoStart: true,
  provides: IProjectWork,
  requires: [IAgents, IProjectTracker],
  optional: [ITranslator, ICommandPalette, ILauncher],
  activate: (
    app: JupyterFrontEnd,
    agents: IAgents,
    tracker: IProjectTracker,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null
  ): IProjectWork => {
    const trans = (translator ?? nullTranslator).load('cloutagent');
    const { commands, shell } = app;
    const work: IProjectWork = lazily(async () => {
      const [{ ProjectWork }, client] = await Promise.all([
        import('../widgets/projectWork'),
        agents.client()
      ]);
      return new ProjectWork(agents, client, trans, {
        open: id => commands.execute(CommandIDs.openProject, { id }),
        close: id => tracker.find(widget => widget.projectId === id)?.dispose(),
        reload: id => void tracker.find(widget => widget.projectId === id)?.actions.reloadAfterConflict()
      });
    });

    /** The project that `args` name, or the one in front. */
    const named = (args: ReadonlyPartialJSONObject): Named | null => {
      const front = shell.currentWidget === tracker.currentWidget ? tracker.currentWidget : null;
      if (args.id) {
        return { id: String(args.id), name: String(args.name ?? args.id) };
      }
      return front && { id: front.projectId, name: front.title.label };
    };

    commands.addCommand(CommandIDs.newProject, {
      label: args => (args.isMenu ? trans.__('Agent Project') : trans.__('New Agent Project')),
      caption: trans.__('Make an agent project from a template'),
      icon: agentIcon,
      describedBy: described('NEW_PROJECT_ARGS'),
      execute: async args =>
        (await work()).create(
          args.template ? String(args.template) : null,
          args.name ? String(args.name) : null
        )
    });
    commands.addCommand(CommandIDs.importProject, {
      label: args => (args.isMenu ? trans.__('Import Agent Project…') : trans.__('Import Agent Project')),
      caption: trans.__('Make a project from an archive, ours or that of a Claude Code project'),
      icon: iconOf('upload'),
      describedBy: { args: NO_ARGS },
      execute: async () => (await work()).chooseArchives()
    });
    commands.addCommand(CommandIDs.duplicateProject, {
      label: trans.__('Duplicate Agent Project'),
      caption: trans.__('Copy a project with its files; secrets and keys stay behind'),
      icon: iconOf('copy'),
      describedBy: described('PROJECT_ARGS'),
      isEnabled: args => named(args) !== null,
      execute: async args => {
        const project = named(args);
        return project && (await work()).duplicate(project);
      }
    });
    commands.addCommand(CommandIDs.exportProject, {
      label: trans.__('Export Agent Project'),
      caption: trans.__('Download a project; secrets and keys never leave'),
      icon: iconOf('download'),
      describedBy: described('EXPORT_ARGS'),
      isEnabled: args => named(args) !== null,
      execute: async args => {
        const project = named(args);
        const format = (args.format ? String(args.format) : 'zip') as ArchiveFormat;
        return project && (await work()).export(project, format, Boolean(args.executions));
      }
    });
    commands.addCommand(CommandIDs.deleteProject, {
      label: trans.__('Delete Agent Project'),
      caption: trans.__('Delete a project after a question; a zip of it goes to the backups'),
      icon: iconOf('trash'),
      describedBy: described('PROJECT_ARGS'),
      isEnabled: args => named(args) !== null,
      execute: async args => {
        const project = named(args);
        return project && (await work()).remove(project);
      }
    });
    commands.addCommand(CommandIDs.showBackups, {
      label: trans.__('Agent Backups'),
      caption: trans.__('Back up now; list, download and restore backups'),
      icon: iconOf('archive'),
      describedBy: { args: NO_ARGS },
      execute: async () => (await work()).showBackups()
    });
    commands.addCommand(CommandIDs.backUp, {
      label: trans.__('Back Up Agent Projects Now'),
      caption: trans.__('Make a backup of all projects'),
      icon: iconOf('archive'),
      describedBy: { args: NO_ARGS },
      execute: async () => (await work()).backUp()
    });

    const category = trans.__('Agents');
    [
      CommandIDs.newProject,
      CommandIDs.importProject,
      CommandIDs.duplicateProject,
      CommandIDs.exportProject,
      CommandIDs.deleteProject,
      CommandIDs.backUp,
      CommandIDs.showBackups
    ].forEach(command => palette?.addItem({ command, category }));
    launcher?.add({ command: CommandIDs.newProject, category, rank: 0 });
    return work;
  }
};
