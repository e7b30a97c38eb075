/**
 * Values to read: one, or all that a thing holds.
 */
import { useUi } from '../ui/context';
import { fieldLabel, shownValue } from '../ui/places';

/** Whether a value may be taller than its place, so that it scrolls, also by keyboard. */
function isLong(text: string): boolean {
  return text.length > 200 || text.split('\n').length > 6;
}

/** One value, or that there is none. */
export function Value({ value }: { value: unknown }): JSX.Element {
  const { trans } = useUi();
  const text = shownValue(trans, value);
  return text === null ? (
    <em className="ca-Value-none">{trans.__('not there')}</em>
  ) : (
    <pre
      className="ca-Value"
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={isLong(text) ? 0 : undefined}
    >
      {text}
    </pre>
  );
}

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

/** What `item` holds, field by field; what is empty or off is left out. */
export function ItemFields({ item }: { item: object }): JSX.Element {
  const { trans } = useUi();
  const fields = Object.entries(item).filter(([name, value]) => name !== 'id' && says(value));
  return (
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
  );
}
