/**
 * Which kinds of steps and events are shown, and the words they must contain.
 */
import { useEffect, useRef } from 'react';

import type { Kind } from '../stores/kinds';
import { KINDS } from '../stores/kinds';
import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';
import { kindOfStepLabel } from '../ui/labels';

export function FilterBar({ found }: { found: string }): JSX.Element | null {
  const { trans } = useUi();
  const { runs } = useActions();
  const open = useProject(state => state.runs.filtering);
  const filter = useProject(state => state.runs.filter);
  const tab = useProject(state => state.drawer.tab);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (open) {
      input.current?.focus();
    }
  }, [open]);
  if (!open) {
    return null;
  }
  // States and costs are events; the tree has no rows for them.
  const kinds = KINDS.filter(kind => kind !== 'state' || tab === 'events');
  const toggle = (kind: Kind) =>
    runs.filter({
      hidden: filter.hidden.includes(kind)
        ? filter.hidden.filter(each => each !== kind)
        : [...filter.hidden, kind]
    });
  return (
    // Escape anywhere in the bar closes it.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      className="ca-Filter"
      role="search"
      aria-label={trans.__('Filter the execution')}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          runs.toggleFilter();
        }
      }}
    >
      <label className="ca-Filter-search">
        <Icon name="search" />
        <span className="ca-Hidden">{trans.__('Search the execution')}</span>
        <input
          ref={input}
          type="search"
          value={filter.text}
          placeholder={trans.__('Search in steps')}
          data-lm-suppress-shortcuts="true"
          spellCheck={false}
          onChange={event => runs.filter({ text: event.target.value })}
        />
      </label>
      <div className="ca-Filter-kinds" role="group" aria-label={trans.__('Kinds that are shown')}>
        {kinds.map(kind => (
          <button
            key={kind}
            type="button"
            aria-pressed={!filter.hidden.includes(kind)}
            onClick={() => toggle(kind)}
          >
            {kindOfStepLabel(trans, kind)}
          </button>
        ))}
      </div>
      <span className="ca-Filter-found" role="status">
        {found}
      </span>
      <button
        type="button"
        className="ca-Button"
        aria-label={trans.__('Close the filter')}
        title={trans.__('Close the filter')}
        onClick={() => runs.toggleFilter()}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}
