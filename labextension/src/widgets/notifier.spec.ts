import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { beforeEach, expect, it, vi } from 'vitest';

import type { ExecutionState } from '../api/types';

import { Notifier } from './notifier';

const trans = nullTranslator.load('cloutagent');
const state = (execution_id: string): ExecutionState =>
  ({ execution_id, project_name: 'Asker', status: 'waiting', approvals: [] }) as unknown as ExecutionState;
const shown = (): string[] => Notification.manager.notifications.map(each => each.message);

beforeEach(() => {
  Notification.manager.dismiss();
});

it('takes a question away once it is answered, and only that one', () => {
  const { tell } = new Notifier(trans, vi.fn());
  Notification.warning('The kernel has died.');
  tell({ kind: 'waiting', state: state('one') });
  tell({ kind: 'waiting', state: state('two') });
  tell({ kind: 'answered', state: state('one') });
  expect(shown()).toHaveLength(2);
  tell({ kind: 'answered', state: state('two') });
  expect(shown()).toEqual(['The kernel has died.']);
});

it('leaves what others have said alone when a question is answered that nobody was told of', () => {
  const { tell } = new Notifier(trans, vi.fn());
  Notification.warning('The kernel has died.');
  tell({ kind: 'answered', state: state('in sight') });
  tell({ kind: 'answered', state: state('in sight') });
  expect(shown()).toEqual(['The kernel has died.']);
});
