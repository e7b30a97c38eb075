/**
 * A button that copies a text, and says that it did; where the browser forbids it, that the text can be
 * selected.
 */
import { useState } from 'react';

import { useUi } from './context';

export function Copy({ text, label }: { text: string; label?: string }): JSX.Element {
  const { trans } = useUi();
  const [state, setState] = useState<'idle' | 'copied' | 'refused'>('idle');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState('copied');
    } catch {
      setState('refused');
    }
  };
  return (
    <button type="button" className="ca-Link" aria-live="polite" onClick={() => void copy()}>
      {state === 'copied'
        ? trans.__('Copied')
        : state === 'refused'
          ? trans.__('Select it and press Ctrl+C')
          : (label ?? trans.__('Copy'))}
    </button>
  );
}
