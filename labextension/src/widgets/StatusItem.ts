/**
 * The item in Lab's status bar: a button that says what goes on and what today has cost.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import type { Today } from '../stores/today';
import { money } from '../ui/money';

export class StatusItem extends Widget {
  constructor(
    private _trans: TranslationBundle,
    open: () => void
  ) {
    super();
    this.addClass('ca-StatusItem');
    this._button = document.createElement('button');
    this._button.type = 'button';
    this._button.addEventListener('click', open);
    this.node.append(this._button);
  }

  /** It came, or went: nothing goes on and nothing was paid. */
  readonly activeChanged = new Signal<this, void>(this);

  get isActive(): boolean {
    return this._active;
  }

  /** Say what `today` says. */
  tell({ running, waiting, costUsd }: Today): void {
    const trans = this._trans;
    const facts = [
      running ? trans._n('%1 agent running', '%1 agents running', running, running) : '',
      waiting ? trans._n('%1 agent waits for you', '%1 agents wait for you', waiting, waiting) : '',
      costUsd ? trans.__('today %1', money(costUsd)) : ''
    ].filter(Boolean);
    const words = facts.join(' · ');
    if (words !== this._button.textContent) {
      this._button.textContent = words;
      this._button.title = trans.__('Agents: what goes on now, and what was paid since midnight');
      this._button.dataset.state = waiting ? 'waiting' : running ? 'running' : 'idle';
    }
    const active = facts.length > 0;
    if (active !== this._active) {
      this._active = active;
      this.activeChanged.emit();
    }
  }

  private _button: HTMLButtonElement;
  private _active = false;
}
