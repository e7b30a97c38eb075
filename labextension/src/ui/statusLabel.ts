/**
 * Words for the state of an execution; needed from JupyterLab's start, so apart from all others (`labels.ts`).
 */
import type { Status } from '../api/types';

import type { Translation } from './labels';

export function statusLabel(trans: Translation, status: Status): string {
  switch (status) {
    case 'queued':
      return trans.__('queued');
    case 'running':
      return trans.__('running');
    case 'waiting':
      return trans.__('waits for you');
    case 'interrupted':
      return trans.__('interrupted');
    case 'completed':
      return trans.__('completed');
    case 'failed':
      return trans.__('failed');
    case 'cancelled':
      return trans.__('cancelled');
  }
}
