/**
 * The short forms: project and note.
 */
import type { Definition } from '../api/types';
import { useActions, useUi } from '../ui/context';

import { TextArea, TextField } from './fields';
import { VariablesForm } from './VariablesForm';

export function ProjectForm({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  return (
    <>
      <TextField
        label={trans.__('Name')}
        value={definition.name}
        onChange={value => actions.edit(['name'], value)}
      />
      <TextArea
        label={trans.__('Description')}
        value={definition.description}
        onChange={value => actions.edit(['description'], value)}
      />
      <VariablesForm definition={definition} />
    </>
  );
}

export function NoteForm({ definition, index }: { definition: Definition; index: number }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  return (
    <TextArea
      label={trans.__('Text')}
      help={trans.__('For people; no model reads it.')}
      value={definition.ui.notes[index].text}
      onChange={value => actions.edit(['ui', 'notes', index, 'text'], value)}
    />
  );
}
