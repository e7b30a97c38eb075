/**
 * What can be done with the step that is marked: copy it as JSON, fork from its turn.
 */
import { useState } from 'react';

import { eventsOf } from '../stores/moments';
import type { Step } from '../stores/monitor';
import { useActions, useProject, useUi } from '../ui/context';
import { copyText } from '../ui/copy';
import { Icon } from '../ui/Icon';

/** Copies the events of a step: one as an object, several as a list. */
export function useCopyStep(): (step: Step) => Promise<boolean> {
  const events = useProject(state => state.runs.events);
  return step => {
    const made = eventsOf(events, step);
    return copyText(JSON.stringify(made.length === 1 ? made[0] : made, null, 2));
  };
}

export function StepTools({ step }: { step: Step }): JSX.Element {
  const { trans } = useUi();
  const { runs } = useActions();
  const copy = useCopyStep();
  const [copied, setCopied] = useState<boolean | null>(null);
  const words =
    copied === null
      ? trans.__('Copy as JSON (C)')
      : copied
        ? trans.__('Copied')
        : trans.__('The browser does not allow it');
  return (
    <span className="ca-StepTools">
      <button
        type="button"
        className="ca-Button"
        tabIndex={-1}
        title={words}
        onClick={() => void copy(step).then(setCopied)}
      >
        <Icon name={copied ? 'check' : 'copy'} />
        <span className="ca-Hidden" aria-live="polite">
          {words}
        </span>
      </button>
      <button
        type="button"
        className="ca-Button"
        tabIndex={-1}
        aria-label={trans.__('Fork from this turn (F)')}
        title={trans.__('Fork from this turn (F)')}
        onClick={() => runs.askFork(step.id)}
      >
        <Icon name="fork" />
      </button>
    </span>
  );
}
