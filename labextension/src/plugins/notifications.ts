/**
 * Tells of executions that have ended or wait for a person, as Lab's notifications.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import type { ExecutionState } from '../api/types';
import { CommandIDs } from '../commands';
import type { Known, News } from '../stores/news';
import { knownOf, newsOf } from '../stores/news';
import { IAgents, IPreferences } from '../tokens';
import { duration, money } from '../ui/format';
import type { Translation } from '../ui/labels';
import { endLabel } from '../ui/labels';

import { IProjectTracker } from './project';

/** How long good news stands, in milliseconds; what needs somebody stands until it is dismissed. */
const GOOD_NEWS_MS = 8_000;

function wordsOf(trans: Translation, { kind, state }: News): string {
  const { project_name: name } = state;
  switch (kind) {
    case 'finished':
      return trans.__(
        '%1 has finished: %2',
        name,
        [duration(state.duration_ms ?? 0), ...(state.simulated ? [] : [money(state.total_cost_usd)])].join(
          ', '
        )
      );
    case 'failed':
      return trans.__('%1 has ended early: %2', name, endLabel(trans, state.error?.code ?? ''));
    case 'waiting':
      return trans.__('%1 waits for you: %2', name, state.approvals[0]?.tool ?? '');
    case 'answered':
      return '';
  }
}

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
    const waiting = new Map<string, string>();
    let known: Known = new Map();

    const inSight = (state: ExecutionState): boolean => {
      const tab = tracker.find(widget => widget.projectId === state.project_id);
      return Boolean(tab?.isVisible) && !document.hidden && tab?.executionId === state.execution_id;
    };
    const tell = (news: News): void => {
      const { kind, state } = news;
      const id = state.execution_id;
      if (kind === 'answered') {
        Notification.dismiss(waiting.get(id));
        waiting.delete(id);
        return;
      }
      const { notifications: when } = preferences.getState();
      if (when === 'none' || (when === 'unseen' && inSight(state))) {
        return;
      }
      const open = () =>
        void app.commands.execute(CommandIDs.openProject, { id: state.project_id, execution: id });
      const type = kind === 'finished' ? 'success' : kind === 'failed' ? 'error' : 'warning';
      const shown = Notification.emit(wordsOf(trans, news), type, {
        autoClose: kind === 'finished' ? GOOD_NEWS_MS : false,
        actions: [
          {
            label: kind === 'waiting' ? trans.__('Review') : trans.__('Show'),
            caption: trans.__('Open the project with this execution'),
            callback: open
          }
        ]
      });
      if (kind === 'waiting') {
        waiting.set(id, shown);
      }
    };
    agents.live.observe(() => {
      const news = newsOf(known, agents.live.states, since);
      known = knownOf(agents.live.states);
      news.forEach(tell);
    });
  }
};
