/**
 * What one card of an old version held, to read.
 */
import type { Definition } from '../api/types';
import { graphOf } from '../graph/graph';
import { useUi } from '../ui/context';
import { cardLabel, fieldLabel } from '../ui/places';

import { OwnerHeading, Value } from './Changes';

/** Whether a value says something. */
function says(value: unknown): boolean {
  const empty =
    value === null ||
    value === '' ||
    value === false ||
    (Array.isArray(value) && !value.length) ||
    (typeof value === 'object' && value !== null && !Object.keys(value).length);
  return !empty;
}

export function CardFields({
  definition,
  card
}: {
  definition: Definition;
  card: string | null;
}): JSX.Element {
  const { trans } = useUi();
  const found = graphOf(definition).cards.find(each => each.id === card);
  if (!found) {
    return <p className="ca-Field-help">{trans.__('Choose a card to read what it held.')}</p>;
  }
  const fields = Object.entries(found.item).filter(([name, value]) => name !== 'id' && says(value));
  return (
    <section className="ca-Changes">
      <OwnerHeading owner={found.id} name={cardLabel(found.id, definition)} />
      <dl className="ca-Versions-fields">
        {fields.map(([name, value]) => (
          <div key={name}>
            <dt>{fieldLabel(trans, ['agent', name])}</dt>
            <dd>
              <Value value={value} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
