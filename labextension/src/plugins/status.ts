/**
 * How many executions go on, and what today has cost, in Lab's status bar.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Vigil } from '../api/vigil';
import { hasEnded } from '../api/types';
import { CommandIDs } from '../commands';
import { spentToday, todayOf } from '../stores/today';
import { IAgents } from '../tokens';
import { StatusItem } from '../widgets/StatusItem';

/** The cost is asked for at most so often, in milliseconds, and again after this time without any news. */
const LEAST_MS = 5_000;
const MOST_MS = 5 * 60_000;

export const status: JupyterFrontEndPlugin<void> = {
  id: 'cloutagent:status',
  description: 'Shows running agent executions and today’s cost in the status bar.',
  autoStart: true,
  requires: [IAgents],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    agents: IAgents,
    bar: IStatusBar | null,
    translator: ITranslator | null
  ): void => {
    void app.restored.then(() => new Vigil(agents.live));
    if (!bar) {
      return;
    }
    const trans = (translator ?? nullTranslator).load('cloutagent');
    const item = new StatusItem(trans, () => void app.commands.execute(CommandIDs.showProjects));
    bar.registerStatusItem('cloutagent:status', {
      item,
      align: 'left',
      rank: 10,
      isActive: () => item.isActive,
      activeStateChanged: item.activeChanged
    });
    let costUsd: number | null = null;
    let asked = 0;
    let ended = -1;
    const tell = () => item.tell(todayOf(agents.live.states, costUsd));
    const ask = async () => {
      asked = Date.now();
      const now = new Date();
      const metrics = await agents.executions.metrics({
        window: '24h',
        utc_offset: -now.getTimezoneOffset()
      });
      costUsd = spentToday(metrics.buckets, now);
      tell();
    };
    agents.live.observe(() => {
      tell();
      const age = Date.now() - asked;
      const done = agents.live.states.filter(state => hasEnded(state.status)).length;
      const news = done !== ended || agents.live.states.some(state => state.status === 'running');
      if (!document.hidden && ((news && age > LEAST_MS) || age > MOST_MS)) {
        ended = done;
        // The count stands without the cost; the next news asks again.
        ask().catch(() => undefined);
      }
    });
  }
};
