/**
 * Tells of executions that have ended or wait for a person, as Lab's notifications.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import type { ExecutionState } from '../api/types';
import { CommandIDs } from '../commands';
import type { Known, News } from '../stores/news';
import { knownOf, newsOf } from '../stores/news';
import { IAgents, IPreferences } from '../tokens';
import { lazily } from '../ui/lazily';

import { IProjectTracker } from './project';

export const notifications: JupyterFrontEndPlugin<void> = {
  id: 'cloutagent:notifications',
  description: 'Tells when agent executions have ended or wait for somebody.',
  autoStart: true,
  requires: [IAgents, IPreferences, IProjectTracker],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    agents: IAgents,
    preferences: IPreferences,
    tracker: IProjectTracker,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('cloutagent');
    const since = Date.now();
    const untold: News[] = [];
    let known: Known = new Map();

    const notifier = lazily(async () => {
      const { Notifier } = await import('../widgets/notifier');
      return new Notifier(trans, ({ project_id: id, execution_id: execution }) => {
        void app.commands.execute(CommandIDs.openProject, { id, execution });
      });
    });
    const inSight = (state: ExecutionState): boolean => {
      const tab = tracker.find(widget => widget.projectId === state.project_id);
      return Boolean(tab?.isVisible) && !document.hidden && tab?.executionId === state.execution_id;
    };
    /** Whether a person wants to be told. */
    const isWanted = ({ kind, state }: News): boolean => {
      const { notifications: when } = preferences.getState();
      return kind === 'answered' || !(when === 'none' || (when === 'unseen' && inSight(state)));
    };
    agents.live.observe(() => {
      untold.push(...newsOf(known, agents.live.states, since).filter(isWanted));
      known = knownOf(agents.live.states);
      if (untold.length) {
        notifier().then(
          ({ tell }) => untold.splice(0).forEach(tell),
          // The server is not there just now: told with whatever is heard next.
          () => undefined
        );
      }
    });
  }
};
