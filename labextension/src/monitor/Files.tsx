/**
 * What the execution made: a list, and a look at one file beside it.
 */
import { useEffect, useState } from 'react';

import type { FileRow } from '../api/types';
import { isListed } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { size } from '../ui/format';
import { Icon } from '../ui/Icon';

import { Picture } from './Output';

/** Most of a text file that is shown, in characters. */
const MOST_TEXT = 200_000;

function isText(file: FileRow): boolean {
  return (
    file.media_type.startsWith('text/') ||
    /json|xml|yaml|javascript|python|toml|notebook/.test(file.media_type) ||
    /\.(md|csv|tsv|txt|log|py|r|json|jsonl|ya?ml|toml|html?|sql)$/i.test(file.path)
  );
}

/** Mime bundle under which rendermime shows a text file. */
function bundleOf(path: string, text: string): Record<string, unknown> {
  if (/\.md$/i.test(path)) {
    return { 'text/markdown': text };
  }
  return /\.html?$/i.test(path) ? { 'text/html': text } : { 'text/plain': text };
}

function TextFile({ executionId, file }: { executionId: string; file: FileRow }): JSX.Element {
  const { trans, client, RenderOutput } = useUi();
  const actions = useActions();
  const [text, setText] = useState<string | null>(null);
  const [failed, setFailed] = useState(false);
  const { path, modified_at: modified } = file;
  useEffect(() => {
    let gone = false;
    client
      .executionFile(executionId, path)
      .then(blob => blob.text())
      .then(
        all => {
          if (!gone) {
            setText(all);
            setFailed(false);
          }
        },
        () => !gone && setFailed(true)
      );
    return () => {
      gone = true;
    };
  }, [client, executionId, path, modified]);
  if (failed) {
    return <p>{trans.__('This file cannot be read any more. Reload the list, or run again.')}</p>;
  }
  if (text === null) {
    return <p role="status">{trans.__('Loading')}</p>;
  }
  return (
    <>
      <RenderOutput
        data={bundleOf(path, text.slice(0, MOST_TEXT))}
        executionId={executionId}
        onFile={other => actions.showTab('files', other)}
      />
      {text.length > MOST_TEXT && (
        <p>{trans.__('Only the beginning is shown; download the file to see all of it.')}</p>
      )}
    </>
  );
}

function Preview({ executionId, file }: { executionId: string; file: FileRow }): JSX.Element {
  const { trans } = useUi();
  if (/^image\/(png|jpeg|gif|webp)$/.test(file.media_type)) {
    return <Picture path={file.path} alt={file.path} />;
  }
  return isText(file) ? (
    <TextFile key={`${executionId}/${file.path}`} executionId={executionId} file={file} />
  ) : (
    <p>{trans.__('There is no preview for this kind of file. Download it to open it elsewhere.')}</p>
  );
}

export function Files(): JSX.Element {
  const { trans, client } = useUi();
  const actions = useActions();
  const executionId = useProject(state => state.executionId);
  const files = useProject(state => state.files);
  const path = useProject(state => state.drawer.file);
  const [failed, setFailed] = useState<string | null>(null);
  const listed = files?.filter(file => isListed(file.path) || file.path === path) ?? [];
  if (!executionId || !listed.length) {
    return (
      <div className="ca-Hint">
        {files
          ? trans.__('No files so far. Reports and charts that the run writes are listed here.')
          : trans.__('Loading')}
      </div>
    );
  }
  const open = listed.find(file => file.path === path) ?? null;
  const download = async (file: FileRow) => {
    setFailed(null);
    try {
      const url = URL.createObjectURL(await client.executionFile(executionId, file.path));
      const link = document.createElement('a');
      link.href = url;
      link.download = file.path.split('/').pop() ?? file.path;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch {
      setFailed(file.path);
    }
  };
  return (
    <div className="ca-Files" data-open={open ? true : undefined}>
      <ul className="ca-Files-list" aria-label={trans.__('Files of the execution')}>
        {listed.map(file => (
          <li key={file.path} data-open={file === open || undefined}>
            <button
              type="button"
              className="ca-Files-name"
              aria-pressed={file === open}
              title={file.path}
              onClick={() => actions.showTab('files', file === open ? null : file.path)}
            >
              <Icon name="file" />
              <span className="ca-Clip">{file.path}</span>
            </button>
            <span className="ca-Files-size">{size(file.size)}</span>
            <button
              type="button"
              className="ca-Button"
              aria-label={trans.__('Save %1 in Lab’s folder', file.path)}
              title={trans.__('Save it in the folder of Lab’s file browser, and open it')}
              onClick={() => void actions.runs.saveFile(file.path)}
            >
              <Icon name="save" />
            </button>
            <button
              type="button"
              className="ca-Button"
              aria-label={trans.__('Download %1', file.path)}
              title={trans.__('Download')}
              onClick={() => void download(file)}
            >
              <Icon name="download" />
            </button>
          </li>
        ))}
        {failed && <li role="alert">{trans.__('%1 cannot be downloaded. Try again.', failed)}</li>}
      </ul>
      {open && (
        // A region that scrolls is reached by keyboard.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className="ca-Files-view" tabIndex={0} role="region" aria-label={open.path}>
          <Preview executionId={executionId} file={open} />
        </div>
      )}
    </div>
  );
}
