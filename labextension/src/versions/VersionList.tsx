/**
 * The project's versions, newest first, and what may be done with the list: put a label on what is here now.
 */
import { useState } from 'react';
import type { FormEvent } from 'react';

import type { VersionRow } from '../api/types';
import { isDirty } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { ago, dateAndTime } from '../ui/dates';
import { Icon } from '../ui/Icon';

/** A version by its number; null is the project as it is here, saved or not. */
export type Chosen = number | null;

function LabelForm({ onMade }: { onMade: () => void }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const [label, setLabel] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    if (await actions.makeVersion(label.trim())) {
      setLabel('');
      onMade();
    }
    setBusy(false);
  };
  return (
    <form className="ca-Versions-label" onSubmit={event => void submit(event)}>
      <input
        type="text"
        value={label}
        maxLength={200}
        aria-label={trans.__('Label for the project as it is now')}
        placeholder={trans.__('name this state')}
        data-lm-suppress-shortcuts="true"
        onChange={event => setLabel(event.target.value)}
      />
      <button type="submit" className="ca-Secondary" disabled={!label.trim() || busy}>
        {trans.__('Label')}
      </button>
    </form>
  );
}

export function VersionList(props: {
  rows: readonly VersionRow[];
  chosen: Chosen;
  onChoose: (chosen: Chosen) => void;
  onMade: () => void;
}): JSX.Element {
  const { trans } = useUi();
  const published = useProject(state => state.saved?.published_version ?? null);
  const dirty = useProject(isDirty);
  const draft = useProject(state => state.draft);
  const { rows, chosen, onChoose, onMade } = props;
  const now = dirty
    ? trans.__('with edits that are not saved')
    : draft
      ? trans.__('with a draft that is in no version yet')
      : trans.__('as in the newest version');
  return (
    <nav className="ca-Versions-list" aria-label={trans.__('Versions')}>
      <LabelForm onMade={onMade} />
      <ul>
        <li>
          <button type="button" aria-current={chosen === null || undefined} onClick={() => onChoose(null)}>
            <span className="ca-Versions-title">
              <strong>{trans.__('Now')}</strong>
              {(dirty || draft) && <span className="ca-Chip">{trans.__('draft')}</span>}
            </span>
            <span className="ca-Entry-facts">{now}</span>
          </button>
        </li>
        {rows.map(row => (
          <li key={row.version}>
            <button
              type="button"
              aria-current={chosen === row.version || undefined}
              title={row.unreadable ?? dateAndTime(row.created_at)}
              disabled={row.unreadable !== null}
              onClick={() => onChoose(row.version)}
            >
              <span className="ca-Versions-title">
                <strong>{trans.__('v%1', row.version)}</strong>
                {row.label && (
                  <span className="ca-Versions-name ca-Clip">
                    <Icon name="tag" />
                    {row.label}
                  </span>
                )}
                {published === row.version && (
                  <span className="ca-Chip" data-tone="good">
                    {trans.__('published')}
                  </span>
                )}
              </span>
              <span className="ca-Entry-facts">
                {row.unreadable
                  ? trans.__('cannot be read')
                  : [row.author, ago(row.created_at)].filter(Boolean).join(' · ')}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}
