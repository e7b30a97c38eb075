/**
 * The short forms: project and note.
 */
import type { Definition } from '../api/types';
import { useActions, useUi } from '../ui/context';

import { NumberField, TextArea, TextField } from './fields';
import { FieldScope } from './fieldScope';
import { VariablesForm } from './VariablesForm';

const PROJECT: string[] = [];

export function ProjectForm({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  return (
    <FieldScope path={PROJECT}>
      <TextField
        label={trans.__('Name')}
        name="name"
        value={definition.name}
        onChange={value => actions.edit(['name'], value)}
      />
      <TextArea
        label={trans.__('Description')}
        name="description"
        value={definition.description}
        onChange={value => actions.edit(['description'], value)}
      />
      <VariablesForm definition={definition} />
    </FieldScope>
  );
}

export function NoteForm({ definition, index }: { definition: Definition; index: number }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  return (
    <FieldScope path={['ui', 'notes', index]}>
      <TextArea
        label={trans.__('Text')}
        name="text"
        help={trans.__('For people; no model reads it.')}
        value={definition.ui.notes[index].text}
        onChange={value => actions.edit(['ui', 'notes', index, 'text'], value)}
      />
      <NumberField
        label={trans.__('Width')}
        name="width"
        unit={trans.__('pixels')}
        min={80}
        value={definition.ui.notes[index].width}
        onChange={value => actions.edit(['ui', 'notes', index, 'width'], value)}
      />
      <NumberField
        label={trans.__('Height')}
        name="height"
        unit={trans.__('pixels')}
        min={40}
        value={definition.ui.notes[index].height}
        onChange={value => actions.edit(['ui', 'notes', index, 'height'], value)}
      />
    </FieldScope>
  );
}
