/**
 * Executions that go on, in Lab's own Running panel, with Shut Down.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { showErrorMessage } from '@jupyterlab/apputils';
import type { IRunningSessions } from '@jupyterlab/running';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { ExecutionState } from '../api/types';
import { hasEnded } from '../api/types';
import { CommandIDs } from '../commands';
import { IAgents } from '../tokens';
import type { Translation } from '../ui/labels';
import { statusLabel } from '../ui/statusLabel';
import { agentIcon } from '../widgets/icons';

class RunningAgents implements IRunningSessions.IManager {
  constructor(
    private _agents: IAgents,
    private _trans: Translation,
    private _open: (state: ExecutionState) => void
  ) {
    this.name = _trans.__('Agent executions');
    _agents.live.observe(() => this._changed.emit());
  }

  readonly name: string;

  get supportsMultipleViews(): boolean {
    return false;
  }

  get runningChanged(): ISignal<this, void> {
    return this._changed as unknown as ISignal<this, void>;
  }

  get shutdownAllConfirmationText(): string {
    return this._trans.__('Stop all agent executions?');
  }

  running(): IRunningSessions.IRunningItem[] {
    return this._states().map(state => ({
      label: () => state.project_name,
      icon: () => agentIcon,
      labelTitle: () => state.execution_id,
      detail: () => [statusLabel(this._trans, state.status), state.current_step].filter(Boolean).join(' · '),
      open: () => this._open(state),
      shutdown: () =>
        this._agents.executions.cancel(state.execution_id).then(
          each => this._agents.live.note(each),
          (error: unknown) =>
            showErrorMessage(
              this._trans.__('%1 was not stopped', state.project_name),
              error instanceof Error ? error : String(error)
            ).then(() => undefined)
        )
    }));
  }

  shutdownAll(): void {
    this.running().forEach(item => item.shutdown?.());
  }

  refreshRunning(): void {
    // A server that does not answer is shown by Lab itself.
    this._agents.live.refresh().catch(() => undefined);
  }

  private _states(): ExecutionState[] {
    return this._agents.live.states.filter(state => !hasEnded(state.status));
  }

  private _changed = new Signal<RunningAgents, void>(this);
}

export const running: JupyterFrontEndPlugin<void> = {
  id: 'cloutagent:running',
  description: 'Shows agent executions in the Running panel.',
  autoStart: true,
  requires: [IAgents],
  optional: [IRunningSessionManagers, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    agents: IAgents,
    managers: IRunningSessionManagers | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('cloutagent');
    managers?.add(
      new RunningAgents(agents, trans, state => {
        void app.commands.execute(CommandIDs.openProject, {
          id: state.project_id,
          execution: state.execution_id
        });
      })
    );
  }
};
