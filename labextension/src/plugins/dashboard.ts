/**
 * The dashboard's tab, its command and launcher card.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, NO_ARGS } from '../commands';
import { IAgents } from '../tokens';
import type { DashboardWidget } from '../widgets/DashboardWidget';
import { chartIcon } from '../widgets/icons';

export const dashboard: JupyterFrontEndPlugin<void> = {
  id: 'cloutagent:dashboard',
  description: 'Shows what agents cost, used and took, over time and by project, model and tool.',
  autoStart: true,
  requires: [IAgents],
  optional: [ITranslator, ICommandPalette, ILauncher, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    agents: IAgents,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('cloutagent');
    const { commands, shell } = app;
    const tracker = new WidgetTracker<DashboardWidget>({ namespace: 'cloutagent-dashboard' });

    commands.addCommand(CommandIDs.openDashboard, {
      label: trans.__('Agent Dashboard'),
      caption: trans.__('Show what agents cost, used and took'),
      icon: chartIcon,
      describedBy: { args: NO_ARGS },
      execute: async () => {
        const [{ DashboardWidget }, client] = await Promise.all([
          import('../widgets/DashboardWidget'),
          agents.client()
        ]);
        let widget = tracker.currentWidget;
        if (!widget) {
          widget = new DashboardWidget({
            client,
            live: agents.live,
            trans,
            onOpen: (id, execution) => void commands.execute(CommandIDs.openProject, { id, execution }),
            onNew: () => void commands.execute(CommandIDs.newProject),
            onProjects: () => void commands.execute(CommandIDs.showProjects)
          });
          shell.add(widget, 'main', { type: 'Agent dashboard' });
          await tracker.add(widget);
        }
        shell.activateById(widget.id);
        return widget;
      }
    });
    const category = trans.__('Agents');
    palette?.addItem({ command: CommandIDs.openDashboard, category });
    launcher?.add({ command: CommandIDs.openDashboard, category, rank: 2 });
    if (restorer) {
      void restorer.restore(tracker, {
        command: CommandIDs.openDashboard,
        name: () => 'dashboard'
      });
    }
  }
};
