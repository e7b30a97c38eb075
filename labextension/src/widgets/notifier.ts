/**
 * Tells news of executions as Lab's notifications.
 */
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ExecutionState } from '../api/types';
import type { News } from '../stores/news';
import { duration, money } from '../ui/format';
import { endLabel } from '../ui/labels';

/** How long good news stands, in milliseconds; what needs somebody stands until it is dismissed. */
const GOOD_NEWS_MS = 8_000;

export class Notifier {
  constructor(
    private _trans: TranslationBundle,
    private _open: (state: ExecutionState) => void
  ) {}

  tell = (news: News): void => {
    const { kind, state } = news;
    if (kind === 'answered') {
      // Without an id Lab dismisses all there are, those of others too; and who had it in sight was told nothing.
      const told = this._waiting.get(state.execution_id);
      if (told !== undefined) {
        Notification.dismiss(told);
        this._waiting.delete(state.execution_id);
      }
      return;
    }
    const trans = this._trans;
    const type = kind === 'finished' ? 'success' : kind === 'failed' ? 'error' : 'warning';
    const shown = Notification.emit(this._wordsOf(news), type, {
      autoClose: kind === 'finished' ? GOOD_NEWS_MS : false,
      actions: [
        {
          label: kind === 'waiting' ? trans.__('Review') : trans.__('Show'),
          caption: trans.__('Open the project with this execution'),
          callback: () => this._open(state)
        }
      ]
    });
    if (kind === 'waiting') {
      this._waiting.set(state.execution_id, shown);
    }
  };

  private _wordsOf({ kind, state }: News): string {
    const trans = this._trans;
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

  /** Notifications that wait for a person, by execution. */
  private _waiting = new Map<string, string>();
}
