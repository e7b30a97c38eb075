/**
 * The toolbar's tools for the project as a whole: its versions, its keys, its archives; and how it is saved.
 */
import type { MouseEvent } from 'react';

import type { ArchiveFormat } from '../api/admin';
import { isDirty } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';
import type { MenuEntry } from '../ui/port';

/** Whether what is here is on the server, in words; nothing where all of it is a version. */
export function SaveState(): JSX.Element | null {
  const { trans } = useUi();
  const dirty = useProject(isDirty);
  const draft = useProject(state => state.draft);
  const stale = useProject(state => state.stale);
  if (!dirty && !draft) {
    return null;
  }
  const [words, title] = stale
    ? [trans.__('not saved'), trans.__('It was changed elsewhere, too: compare and choose.')]
    : dirty
      ? [trans.__('unsaved'), trans.__('Only this tab has the last edits.')]
      : [trans.__('draft'), trans.__('Kept on the server; Save or a run makes a version of it.')];
  return (
    <span className="ca-SaveState" data-state={stale ? 'stale' : dirty ? 'dirty' : 'draft'} title={title}>
      {words}
    </span>
  );
}

/** Where a menu of a button opens: under its left edge. */
export function below(event: MouseEvent): { x: number; y: number } {
  const box = event.currentTarget.getBoundingClientRect();
  return { x: box.left, y: box.bottom };
}

/** Every form in which the project can leave. */
function useExports(): MenuEntry[] {
  const { trans, client, shell } = useUi();
  const actions = useActions();
  const project = useProject(state => state.projectId);
  const write = (format: ArchiveFormat, executions = false) => {
    void actions.doing(async () => {
      // What leaves is what is seen.
      if (await actions.saveDraft()) {
        const { name, blob } = await client.admin.exportProject(project, format, executions);
        shell.keep(name, blob);
      }
    });
  };
  return [
    { label: trans.__('Archive (.zip)'), icon: 'archive', run: () => write('zip') },
    { label: trans.__('Archive (.tar.gz)'), icon: 'archive', run: () => write('tar.gz') },
    { label: trans.__('Archive with executions (.zip)'), icon: 'archive', run: () => write('zip', true) },
    {
      label: trans.__('Archive with executions (.tar.gz)'),
      icon: 'archive',
      run: () => write('tar.gz', true)
    },
    {
      label: trans.__('Claude Code project (.zip)'),
      caption: trans.__('Agents, hooks and MCP servers as files of Claude Code'),
      icon: 'agent',
      parted: true,
      run: () => write('claude')
    },
    {
      label: trans.__('Python script (.py)'),
      caption: trans.__('One program on the anthropic SDK, without this extension'),
      icon: 'code',
      run: () => write('python')
    }
  ];
}

export function ProjectTools(): JSX.Element {
  const { trans, shell } = useUi();
  const actions = useActions();
  const cover = useProject(state => state.cover);
  const exports = useExports();
  const versions = () => actions.cover(cover === 'versions' ? null : 'versions');
  const api = () => actions.cover('api');
  return (
    <>
      <span className="ca-Tools-wide">
        <button
          type="button"
          className="ca-Button"
          aria-label={trans.__('Versions')}
          title={trans.__('Versions: compare, restore, publish')}
          aria-pressed={cover === 'versions'}
          onClick={versions}
        >
          <Icon name="history" />
          <span className="ca-Button-text">{trans.__('Versions')}</span>
        </button>
        <button
          type="button"
          className="ca-Button"
          aria-label={trans.__('API')}
          title={trans.__('Keys, and programs that call this project')}
          aria-haspopup="dialog"
          onClick={api}
        >
          <Icon name="api" />
          <span className="ca-Button-text">{trans.__('API')}</span>
        </button>
        <button
          type="button"
          className="ca-Button"
          aria-haspopup="menu"
          aria-label={trans.__('Export')}
          title={trans.__('Export; secrets and keys never leave')}
          onClick={event => shell.openMenu(exports, below(event))}
        >
          <Icon name="download" />
          <span className="ca-Button-text">{trans.__('Export')}</span>
        </button>
      </span>
      {/* The same, where there is no room for three buttons. */}
      <span className="ca-Tools-narrow">
        <button
          type="button"
          className="ca-Button"
          aria-haspopup="menu"
          aria-label={trans.__('Versions, API, export')}
          title={trans.__('Versions, API, export')}
          onClick={event =>
            shell.openMenu(
              [
                { label: trans.__('Versions'), icon: 'history', run: versions },
                { label: trans.__('API'), icon: 'api', run: api },
                { label: trans.__('Export'), icon: 'download', entries: exports }
              ],
              below(event)
            )
          }
        >
          <Icon name="more" />
        </button>
      </span>
    </>
  );
}
