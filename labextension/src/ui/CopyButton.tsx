/**
 * Copies a text and says that it did; where the browser forbids it, that it could not.
 */
import { useEffect, useState } from 'react';

import { useUi } from './context';
import { copyText } from './copy';
import { Icon } from './Icon';

/** How long the answer stands, in milliseconds. */
const SHOWN_MS = 2_000;

export function CopyButton(props: { label: string; text: () => string }): JSX.Element {
  const { trans } = useUi();
  const [state, setState] = useState<'idle' | 'copied' | 'refused'>('idle');
  useEffect(() => {
    if (state !== 'idle') {
      const timer = setTimeout(() => setState('idle'), SHOWN_MS);
      return () => clearTimeout(timer);
    }
    return undefined;
  }, [state]);
  const words =
    state === 'copied'
      ? trans.__('Copied')
      : state === 'refused'
        ? trans.__('The browser does not allow it')
        : props.label;
  return (
    <button
      type="button"
      className="ca-Button"
      title={props.label}
      onClick={() => void copyText(props.text()).then(done => setState(done ? 'copied' : 'refused'))}
    >
      <Icon name={state === 'copied' ? 'check' : 'copy'} />
      <span aria-live="polite">{words}</span>
    </button>
  );
}
