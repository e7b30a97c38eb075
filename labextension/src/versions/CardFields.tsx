/**
 * What one card of an old version held, to read.
 */
import type { Definition } from '../api/types';
import { graphOf } from '../graph/graph';
import { useUi } from '../ui/context';
import { cardLabel } from '../ui/places';

import { OwnerHeading } from './Changes';
import { ItemFields } from './Value';

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
  return (
    <section className="ca-Changes">
      <OwnerHeading owner={found.id} name={cardLabel(found.id, definition)} />
      <ItemFields item={found.item} />
    </section>
  );
}
