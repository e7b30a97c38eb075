/**
 * How many executions of the project run and wait, and what becomes of them when the server comes back.
 */
import type { Definition } from '../../api/types';
import { useActions, useUi } from '../../ui/context';
import { NumberField } from '../fields';
import { SelectField } from '../listFields';

export function QueueSection({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const { queue } = definition;
  const write = (field: keyof Definition['queue']) => (value: number | null) =>
    actions.edit(['queue', field], value);
  return (
    <section className="ca-Section" aria-label={trans.__('Queue')}>
      <h3 className="ca-Heading">{trans.__('Queue')}</h3>
      <NumberField
        label={trans.__('At once')}
        unit={trans.__('executions')}
        help={trans.__('Most that run at the same time; the server’s own cap may be lower.')}
        min={1}
        value={queue.max_concurrent}
        onChange={write('max_concurrent')}
      />
      <NumberField
        label={trans.__('Waiting')}
        unit={trans.__('executions')}
        help={trans.__('Most that wait for a place; one more is refused with QUEUE_FULL.')}
        min={0}
        value={queue.max_queue}
        onChange={write('max_queue')}
      />
      <NumberField
        label={trans.__('Longest wait')}
        unit={trans.__('seconds')}
        help={trans.__('One that waits longer ends with QUEUE_TIMEOUT.')}
        min={1}
        value={queue.queue_timeout_s}
        onChange={write('queue_timeout_s')}
      />
      <SelectField
        label={trans.__('After a restart of the server')}
        help={trans.__('What becomes of an execution that was running.')}
        value={definition.on_restart}
        options={[
          { value: 'resume', label: trans.__('it goes on by itself') },
          { value: 'interrupt', label: trans.__('it waits until somebody resumes it') }
        ]}
        onChange={value => actions.edit(['on_restart'], value)}
      />
    </section>
  );
}
