/**
 * How many executions of the project run and wait, and what becomes of them when the server comes back.
 */
import type { Definition } from '../../api/types';
import { useUi } from '../../ui/context';
import { NumberField } from '../fields';
import { FieldScope, useBinding } from '../fieldScope';
import { SelectField } from '../listFields';

const QUEUE = ['queue'];
const PROJECT: string[] = [];

/** What becomes of an execution that runs when the server stops. */
export function RestartField({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const bind = useBinding(PROJECT, definition);
  return (
    <FieldScope path={PROJECT}>
      <SelectField
        {...bind('on_restart')}
        label={trans.__('After a restart of the server')}
        help={trans.__('What becomes of an execution that was running.')}
        options={[
          { value: 'resume', label: trans.__('it goes on by itself') },
          { value: 'interrupt', label: trans.__('it waits until somebody resumes it') }
        ]}
      />
    </FieldScope>
  );
}

export function QueueSection({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const bind = useBinding(QUEUE, definition.queue);
  return (
    <section className="ca-Section" aria-label={trans.__('Queue')}>
      <h3 className="ca-Heading">{trans.__('Queue')}</h3>
      <FieldScope path={QUEUE}>
        <NumberField
          {...bind('max_concurrent')}
          label={trans.__('At once')}
          unit={trans.__('executions')}
          help={trans.__('Most that run at the same time; the server’s own cap may be lower.')}
          min={1}
        />
        <NumberField
          {...bind('max_queue')}
          label={trans.__('Waiting')}
          unit={trans.__('executions')}
          help={trans.__('Most that wait for a place; one more is refused with QUEUE_FULL.')}
          min={0}
        />
        <NumberField
          {...bind('queue_timeout_s')}
          label={trans.__('Longest wait')}
          unit={trans.__('seconds')}
          help={trans.__('One that waits longer ends with QUEUE_TIMEOUT.')}
          min={1}
        />
      </FieldScope>
      <RestartField definition={definition} />
    </section>
  );
}
