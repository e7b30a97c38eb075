/**
 * Files that go with a run: from Jupyter's folders, from this computer, or dragged here.
 */
import { useRef } from 'react';

import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

export function RunFiles(): JSX.Element {
  const { trans } = useUi();
  const { runs } = useActions();
  const files = useProject(state => state.runs.draft.files);
  const uploading = useProject(state => state.runs.uploading);
  const input = useRef<HTMLInputElement>(null);
  const take = (list: FileList | null) => [...(list ?? [])].forEach(file => void runs.upload(file));
  return (
    // Files of the computer may be dropped here; Lab's own are taken anywhere on the tab.
    <div
      className="ca-Field ca-RunFiles"
      onDragOver={event => {
        if (event.dataTransfer.types.includes('Files')) {
          event.preventDefault();
        }
      }}
      onDrop={event => {
        if (event.dataTransfer.files.length) {
          event.preventDefault();
          take(event.dataTransfer.files);
        }
      }}
    >
      <span className="ca-Field-label">{trans.__('Files')}</span>
      {files.length > 0 && (
        <ul aria-label={trans.__('Files of this run')}>
          {files.map(file => (
            <li key={file.path}>
              <Icon name="file" />
              <span className="ca-Clip" title={file.contents_path ?? file.path}>
                {file.path}
              </span>
              <span className="ca-RunFiles-from">
                {file.contents_path ? file.contents_path : trans.__('from this computer')}
              </span>
              <button
                type="button"
                className="ca-Button"
                aria-label={trans.__('Leave %1 out', file.path)}
                title={trans.__('Leave it out')}
                onClick={() => runs.edit({ files: files.filter(each => each !== file) })}
              >
                <Icon name="close" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <div className="ca-RunFiles-add">
        <button type="button" className="ca-Button" onClick={() => void runs.choose()}>
          <Icon name="plus" />
          {trans.__('From Jupyter…')}
        </button>
        <button type="button" className="ca-Button" onClick={() => input.current?.click()}>
          <Icon name="upload" />
          {trans.__('From this computer…')}
        </button>
        <input
          ref={input}
          type="file"
          multiple
          hidden
          aria-label={trans.__('Files of this computer')}
          onChange={event => {
            take(event.target.files);
            event.target.value = '';
          }}
        />
        <span role="status" className="ca-RunFiles-state">
          {uploading > 0 ? trans.__('Uploading') : ''}
        </span>
      </div>
      <p className="ca-Field-help">
        {trans.__('Or drag them here from the file browser. The run gets copies, in its workspace.')}
      </p>
    </div>
  );
}
