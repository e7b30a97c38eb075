/**
 * What is asked about executions from JupyterLab's start, while no panel is open: for the status bar, the
 * Running panel and notifications. All other requests are in `client.ts`, which is loaded when it is needed.
 */
import { Requests, query } from './requests';
import type { Transport } from './requests';
import type { ExecutionState, Metrics, MetricsWindow, Page, Status } from './types';

/** What a list of executions may be narrowed to. */
export interface ExecutionFilter {
  [name: string]: string | number | boolean | undefined;
  project?: string;
  status?: Status;
  /** Created at or after this time. */
  since?: string;
  /** Those whose files are gone, too. */
  expired?: boolean;
  limit?: number;
  cursor?: string;
}

export interface MetricsWish {
  window: MetricsWindow;
  project?: string;
  simulated?: boolean;
  /** Minutes that the clock here is ahead of UTC. */
  utc_offset?: number;
}

export class Executions extends Requests {
  /** `root` is the address of the API, as programs outside use it. */
  constructor(
    transport: Transport,
    readonly root = ''
  ) {
    super(transport);
  }

  executions(filter: ExecutionFilter = {}): Promise<Page<ExecutionState>> {
    return this._json(`executions${query(filter)}`);
  }

  /** Figures of a window, from the server's ledger. */
  metrics(wish: MetricsWish): Promise<Metrics> {
    return this._json(`metrics${query({ ...wish })}`);
  }

  cancel(id: string): Promise<ExecutionState> {
    return this._json(`executions/${id}/cancel`, this._body('POST', {}));
  }
}
