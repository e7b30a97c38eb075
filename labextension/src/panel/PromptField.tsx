/**
 * A prompt: its editor, and what a model would read with the values of the last run.
 */
import { lazy, Suspense, useMemo, useState } from 'react';

import type { Definition } from '../api/types';
import { BUILT_IN, filledIn, previewValues } from '../graph/prompts';
import { useActions, useProject, useUi } from '../ui/context';

import type { FieldProps } from './fieldScope';
import { Below, useControl } from './fieldScope';

const PromptEditor = lazy(() => import('../editor/PromptEditor'));

function Preview({ definition, text }: { definition: Definition; text: string }): JSX.Element {
  const { trans } = useUi();
  const last = useProject(state => state.runs.draft.variables);
  const pieces = filledIn(text, previewValues(definition, last));
  const open = [...new Set(pieces.filter(each => !each.filled).map(each => each.name))];
  return (
    <>
      <div className="ca-Preview" role="region" aria-label={trans.__('Preview')}>
        {pieces.map((piece, index) =>
          piece.name === null ? (
            piece.text
          ) : (
            <mark key={index} data-filled={piece.filled} title={piece.name}>
              {piece.text}
            </mark>
          )
        )}
      </div>
      <p className="ca-Field-help">
        {open.length
          ? trans.__('Without a value here: %1. A run fills them in.', open.join(', '))
          : trans.__('With the values of the last run, else the defaults.')}
      </p>
    </>
  );
}

interface Props extends FieldProps {
  definition: Definition;
  value: string;
  onChange: (value: string) => void;
}

export function PromptField(props: Props): JSX.Element {
  const { label, definition, value, onChange } = props;
  const { trans } = useUi();
  const actions = useActions();
  const control = useControl(props);
  const frozen = useProject(state => state.frozen !== null);
  const [preview, setPreview] = useState(false);
  const { variables } = definition;
  const names = useMemo(
    () => [
      ...Object.entries(variables).map(([name, variable]) => ({
        name,
        detail: variable.description || (variable.default ?? '')
      })),
      ...BUILT_IN.map(name => ({ name, detail: trans.__('always there') }))
    ],
    [variables, trans]
  );
  const declared = useMemo(() => Object.keys(variables), [variables]);
  return (
    <div className="ca-Field" data-field={control.path}>
      <span className="ca-Prompt-head">
        <span className="ca-Field-label">{label}</span>
        <button
          type="button"
          className="ca-Link"
          aria-pressed={preview}
          aria-label={preview ? trans.__('Edit: %1', label) : trans.__('Preview: %1', label)}
          onClick={() => setPreview(!preview)}
        >
          {preview ? trans.__('Edit') : trans.__('Preview')}
        </button>
      </span>
      {preview ? (
        <Preview definition={definition} text={value} />
      ) : (
        <Suspense
          fallback={
            <textarea
              className="ca-mod-code"
              aria-label={label}
              rows={4}
              value={value}
              onChange={event => onChange(event.target.value)}
            />
          }
        >
          <PromptEditor
            value={value}
            label={label}
            variables={names}
            declared={declared}
            readOnly={frozen}
            describedBy={control.describedBy}
            invalid={control.invalid}
            onChange={onChange}
            onUndo={() => actions.undo()}
            onRedo={() => actions.redo()}
          />
        </Suspense>
      )}
      <Below control={control} />
    </div>
  );
}
