/**
 * Two people have changed the same project: mine, theirs and what both grew from, field by field. Nothing is
 * written before the person has chosen, and Undo brings back what was not taken.
 */
import { useMemo, useState } from 'react';

import { definitionOf } from '../api/definition';
import type { Definition } from '../api/types';
import type { Difference, Side } from '../graph/differences';
import { differences } from '../graph/differences';
import type { Choices } from '../graph/merge';
import { obvious, placeKey, undecided } from '../graph/merge';
import { useActions, useProject, useUi } from '../ui/context';
import { Dialog } from '../ui/Dialog';
import { fieldLabel, isProse, ownerLabel } from '../ui/places';

import { byOwner, LazyTextDiff, OwnerHeading } from './Changes';
import { Value } from './Value';

function DifferenceRow(props: {
  difference: Difference;
  chosen: Side | undefined;
  onChoose: (side: Side) => void;
}): JSX.Element {
  const { trans } = useUi();
  const { difference, chosen, onChoose } = props;
  const { place, kind, by, base, mine, theirs } = difference;
  const [comparing, setComparing] = useState(by === 'both');
  const label = fieldLabel(trans, place, kind) || trans.__('The whole card');
  const who =
    by === 'both'
      ? trans.__('both changed it')
      : by === 'mine'
        ? trans.__('only you changed it')
        : trans.__('only they changed it');
  const sides: [Side, string, unknown][] = [
    ['mine', trans.__('Mine'), mine],
    ['theirs', trans.__('Theirs'), theirs],
    ['base', trans.__('As it was'), base]
  ];
  const name = placeKey(difference);
  return (
    <fieldset className="ca-Conflict-field" data-open={chosen === undefined || undefined}>
      <legend>
        <strong>{label}</strong>
        <span className="ca-Chip" data-by={by}>
          {who}
        </span>
      </legend>
      <div className="ca-Conflict-sides">
        {sides.map(([side, title, value]) => (
          <label key={side} data-chosen={side === chosen || undefined}>
            <span className="ca-Conflict-side">
              <input type="radio" name={name} checked={side === chosen} onChange={() => onChoose(side)} />
              {title}
            </span>
            <Value value={value} />
          </label>
        ))}
      </div>
      {typeof mine === 'string' && typeof theirs === 'string' && (isProse(mine) || isProse(theirs)) && (
        <>
          <button
            type="button"
            className="ca-Link"
            aria-expanded={comparing}
            onClick={() => setComparing(!comparing)}
          >
            {comparing ? trans.__('Hide the comparison') : trans.__('Compare mine and theirs word by word')}
          </button>
          {comparing && (
            <LazyTextDiff
              before={theirs}
              after={mine}
              beforeLabel={trans.__('%1, theirs', label)}
              afterLabel={trans.__('%1, mine', label)}
            />
          )}
        </>
      )}
    </fieldset>
  );
}

export function ConflictDialog({ definition }: { definition: Definition }): JSX.Element | null {
  const { trans, shell } = useUi();
  const actions = useActions();
  const conflict = useProject(state => state.conflict);
  const all = useMemo(
    () => (conflict ? differences(conflict.base, definition, definitionOf(conflict.theirs.project)) : []),
    [conflict, definition]
  );
  const [picked, setPicked] = useState<Choices>({});
  if (!conflict) {
    return null;
  }
  const theirs = definitionOf(conflict.theirs.project);
  const choices: Choices = { ...obvious(all), ...picked };
  const left = undecided(all, choices).length;
  const chooseAll = (side: Side) => setPicked(Object.fromEntries(all.map(each => [placeKey(each), side])));
  const drop = async () => {
    const sure = await shell.confirm({
      title: trans.__('Drop your edits?'),
      body: trans.__('The project is read again as they have saved it. Your edits cannot be brought back.'),
      accept: trans.__('Drop my edits'),
      danger: true
    });
    if (sure) {
      await actions.reloadAfterConflict();
    }
  };
  return (
    <Dialog
      title={trans.__('This project was changed elsewhere, too')}
      size="wide"
      onClose={() => actions.cover(null)}
      foot={
        <>
          <span className="ca-Conflict-left" role="status">
            {left
              ? trans._n('%1 field to choose', '%1 fields to choose', left, left)
              : trans.__('Everything is chosen.')}
          </span>
          <button type="button" className="ca-Link" onClick={() => void drop()}>
            {trans.__('Drop my edits')}
          </button>
          <button type="button" className="ca-Secondary" onClick={() => actions.cover(null)}>
            {trans.__('Decide later')}
          </button>
          <button
            type="button"
            className="ca-Primary"
            disabled={left > 0}
            onClick={() => void actions.resolveConflict(choices)}
          >
            {trans.__('Save what is chosen')}
          </button>
        </>
      }
    >
      <div className="ca-Conflict">
        <div className="ca-Conflict-intro">
          <p>
            {trans.__(
              'Nothing was overwritten. What only one of you changed is chosen already; Undo brings back what you do not take.'
            )}
          </p>
          <div className="ca-Segments" role="group" aria-label={trans.__('For all fields')}>
            <button type="button" onClick={() => chooseAll('mine')}>
              {trans.__('All mine')}
            </button>
            <button type="button" onClick={() => chooseAll('theirs')}>
              {trans.__('All theirs')}
            </button>
            <button type="button" onClick={() => setPicked({})}>
              {trans.__('Join both')}
            </button>
          </div>
        </div>
        {byOwner(all).map(([owner, list]) => (
          <section key={owner} className="ca-Changes">
            <OwnerHeading
              owner={owner}
              name={ownerLabel(trans, list[0].place, definition, theirs, conflict.base)}
            />
            {list.map(each => (
              <DifferenceRow
                key={placeKey(each)}
                difference={each}
                chosen={choices[placeKey(each)]}
                onChoose={side => setPicked({ ...picked, [placeKey(each)]: side })}
              />
            ))}
          </section>
        ))}
      </div>
    </Dialog>
  );
}
