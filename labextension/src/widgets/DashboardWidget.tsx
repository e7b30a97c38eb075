/**
 * The shell of the dashboard's tab. It asks the server only while it is seen.
 */
import { ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';

import type { Client } from '../api/client';
import type { LiveExecutions } from '../api/live';
import type { DashboardProps } from '../dashboard/Dashboard';
import { DashboardActions } from '../stores/dashboard';

import { Boundary } from './Boundary';
import { focusBack } from './focusBack';
import { chartIcon } from './icons';

const loadDashboard = () => import('../dashboard/Dashboard').then(module => module.Dashboard);

export interface DashboardOptions extends Pick<DashboardProps, 'onOpen' | 'onNew' | 'onProjects'> {
  client: Client;
  live: LiveExecutions;
  trans: TranslationBundle;
}

export class DashboardWidget extends ReactWidget {
  constructor(private _options: DashboardOptions) {
    super();
    this.id = 'cloutagent-dashboard';
    this.addClass('ca-DashboardTab');
    this.title.icon = chartIcon;
    this.title.label = _options.trans.__('Agent dashboard');
    this.title.caption = _options.trans.__('What agents cost, used and took');
    this.title.closable = true;
    this._actions = new DashboardActions(_options.client, _options.live);
  }

  protected render(): JSX.Element {
    const { trans, onOpen, onNew, onProjects } = this._options;
    const view = { trans, actions: this._actions, visible: this.isVisible, onOpen, onNew, onProjects };
    return <Boundary trans={trans} load={loadDashboard} view={view} />;
  }

  protected onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this.update();
  }

  protected onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this.update();
  }

  protected onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    this._focusBack();
  }

  private _focusBack = focusBack(this.node);

  private _actions: DashboardActions;
}
