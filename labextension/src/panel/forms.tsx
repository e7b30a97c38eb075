/**
 * The short forms: project and note.
 */
import type { Definition } from '../api/types';
import { useUi } from '../ui/context';

import { NumberField, TextArea, TextField } from './fields';
import { FieldScope, useBinding } from './fieldScope';
import { VariablesForm } from './VariablesForm';

const PROJECT: string[] = [];

export function ProjectForm({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const bind = useBinding(PROJECT, definition);
  return (
    <FieldScope path={PROJECT}>
      <TextField label={trans.__('Name')} {...bind('name')} />
      <TextArea label={trans.__('Description')} {...bind('description')} />
      <VariablesForm definition={definition} />
    </FieldScope>
  );
}

export function NoteForm({ definition, index }: { definition: Definition; index: number }): JSX.Element {
  const { trans } = useUi();
  const path = ['ui', 'notes', index];
  const bind = useBinding(path, definition.ui.notes[index]);
  return (
    <FieldScope path={path}>
      <TextArea
        label={trans.__('Text')}
        {...bind('text')}
        help={trans.__('For people; no model reads it.')}
      />
      <NumberField label={trans.__('Width')} {...bind('width')} unit={trans.__('pixels')} min={80} />
      <NumberField label={trans.__('Height')} {...bind('height')} unit={trans.__('pixels')} min={40} />
    </FieldScope>
  );
}
