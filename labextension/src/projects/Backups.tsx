/**
 * Backups of all projects: made now, listed, downloaded, restored. A restore keeps what it replaces.
 */
import '../../style/theme.css';
import '../../style/shared.css';
import '../../style/projects.css';
import '../../style/forced.css';

import { useEffect, useRef, useState } from 'react';

import type { Client } from '../api/client';
import type { BackupRow, ProjectRow, Restored } from '../api/types';
import { ago, dateAndTime } from '../ui/dates';
import { size } from '../ui/format';
import { Icon } from '../ui/Icon';
import type { Translation } from '../ui/labels';
import type { ShellPort } from '../ui/port';
import { useLoaded, useTask } from '../ui/useLoaded';

export interface BackupsProps {
  trans: Translation;
  client: Client;
  shell: ShellPort;
  /** Projects are as a backup had them. */
  onRestored: (restored: Restored) => void;
}

function kindLabel(trans: Translation, row: BackupRow): string {
  switch (row.kind) {
    case 'daily':
      return trans.__('made by itself');
    case 'manual':
      return trans.__('made on demand');
    case 'deleted':
      return trans.__('a project that was deleted');
    case 'replaced':
      return trans.__('a project that a restore replaced');
  }
}

function Row(
  props: BackupsProps & {
    row: BackupRow;
    projects: readonly ProjectRow[];
    /** Whether it is the one that is asked about. */
    open: boolean;
    onOpen: (open: boolean) => void;
    onChanged: () => void;
  }
): JSX.Element {
  const { trans, client, shell, row, projects, open, onOpen, onRestored, onChanged } = props;
  const [project, setProject] = useState('');
  const { busy, trouble, run } = useTask();
  const asking = useRef<HTMLButtonElement>(null);
  // The button that was pressed is gone; its keys belong to the dialog, not to the page behind it.
  const pressed = useRef(false);
  useEffect(() => {
    if (!busy && pressed.current) {
      pressed.current = false;
      if (document.activeElement === document.body) {
        asking.current?.focus();
      }
    }
  }, [busy]);
  const whole = row.kind === 'daily' || row.kind === 'manual';
  const download = () =>
    run(async () => {
      const { name, blob } = await client.admin.backup(row.name);
      shell.keep(name, blob);
    });
  const restore = () => {
    pressed.current = true;
    return run(async () => {
      onRestored(await client.admin.restoreBackup(row.name, project || null));
      onOpen(false);
      onChanged();
    });
  };
  return (
    <li>
      <div className="ca-Backups-line">
        <div className="ca-Backups-facts">
          <strong title={row.name}>{dateAndTime(row.created_at)}</strong>
          <span>{[kindLabel(trans, row), ago(row.created_at), size(row.size)].join(' · ')}</span>
        </div>
        <button
          type="button"
          className="ca-Button"
          aria-label={trans.__('Download %1', row.name)}
          title={trans.__('Download; secrets in it stay encrypted')}
          disabled={busy}
          onClick={() => void download()}
        >
          <Icon name="download" />
        </button>
        <button
          ref={asking}
          type="button"
          className="ca-Secondary"
          aria-expanded={open}
          aria-label={trans.__('Restore from %1', row.name)}
          disabled={busy}
          onClick={() => onOpen(!open)}
        >
          {trans.__('Restore')}
        </button>
      </div>
      {open && (
        <div className="ca-Backups-restore">
          {whole && (
            <label>
              {trans.__('What to restore')}
              <select value={project} onChange={event => setProject(event.target.value)}>
                <option value="">{trans.__('every project in it')}</option>
                {projects.map(each => (
                  <option key={each.id} value={each.id}>
                    {each.name}
                  </option>
                ))}
              </select>
            </label>
          )}
          <p>
            {trans.__(
              'What it replaces is kept as a backup of its own. Restored projects start nothing until somebody has trusted them.'
            )}
          </p>
          <button type="button" className="ca-Primary" disabled={busy} onClick={() => void restore()}>
            {trans.__('Restore now')}
          </button>
        </div>
      )}
      {trouble && (
        <p role="alert" className="ca-Gallery-trouble">
          {trouble}
        </p>
      )}
    </li>
  );
}

export function Backups(props: BackupsProps): JSX.Element {
  const { trans, client } = props;
  const { data, trouble, reload } = useLoaded(
    async () => ({ rows: (await client.admin.backups()).items, projects: (await client.projects()).items }),
    'backups'
  );
  const { busy, trouble: refused, run } = useTask();
  const [opened, setOpened] = useState<string | null>(null);
  const make = async () => {
    if (await run(() => client.admin.makeBackup())) {
      reload();
    }
  };
  return (
    <div className="ca-Backups">
      <div className="ca-Backups-line">
        <p>{trans.__('One is made each night. Each holds all projects, with keys and encrypted secrets.')}</p>
        {/* While a restore is asked about, that is the one thing to press. */}
        <button
          type="button"
          className={opened === null ? 'ca-Primary' : 'ca-Secondary'}
          disabled={busy}
          onClick={() => void make()}
        >
          {busy ? trans.__('Backing up') : trans.__('Back up now')}
        </button>
      </div>
      {(trouble ?? refused) && (
        <p role="alert" className="ca-Gallery-trouble">
          {trouble ?? refused}
        </p>
      )}
      {data?.rows.length === 0 && <p>{trans.__('There is no backup yet.')}</p>}
      <ul>
        {data?.rows.map(row => (
          <Row
            key={row.name}
            {...props}
            row={row}
            projects={data.projects}
            open={opened === row.name}
            onOpen={open => setOpened(open ? row.name : null)}
            onChanged={reload}
          />
        ))}
      </ul>
    </div>
  );
}
