/**
 * What a tool gave back: text with its terminal colours, pictures, files, Jupyter displays.
 *
 * Everything that is not a plain picture goes through Lab's rendermime and its sanitizer.
 */
import { memo, useState } from 'react';

import type { ImagePart, OutputPart } from '../api/types';
import { useActions, useProject, useUi } from '../ui/context';
import { size } from '../ui/format';
import { useBlobUrl } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { Tall } from '../ui/Tall';

/** Lines and characters of text that are shown before the rest folds away. */
const LINES = 12;
const CHARACTERS = 4_000;
/** Most that is ever put into the page: a browser chokes on more. */
const MOST_CHARACTERS = 400_000;

function TextOutput({ text }: { text: string }): JSX.Element {
  const { trans, RenderOutput } = useUi();
  const executionId = useProject(state => state.executionId);
  const [all, setAll] = useState(false);
  const lines = text.split('\n');
  const tall = lines.length > LINES + 3;
  const head = (tall ? lines.slice(0, LINES).join('\n') : text).slice(0, CHARACTERS);
  const folded = !all && head.length < text.length;
  const shown = folded ? head : text.slice(0, MOST_CHARACTERS);
  return (
    <div className="ca-Output-text">
      <RenderOutput data={{ 'application/vnd.jupyter.stdout': shown }} executionId={executionId} />
      {folded && (
        <button type="button" className="ca-Link" onClick={() => setAll(true)}>
          {tall
            ? trans.__('Show %1 more lines', lines.length - LINES)
            : trans.__('Show all, %1', size(text.length))}
        </button>
      )}
      {!folded && shown.length < text.length && (
        <p className="ca-Output-missing">
          {trans.__('Only the first %1 of %2 are shown.', size(shown.length), size(text.length))}
        </p>
      )}
    </div>
  );
}

export function Picture({ path, alt }: { path: string; alt: string }): JSX.Element {
  const { trans, client } = useUi();
  const actions = useActions();
  const executionId = useProject(state => state.executionId) ?? '';
  const url = useBlobUrl(() => client.executionFile(executionId, path), `${executionId}/${path}`);
  if (url === undefined) {
    return <p className="ca-Output-missing">{trans.__('The picture %1 cannot be loaded.', path)}</p>;
  }
  return (
    <button
      type="button"
      className="ca-Output-picture"
      title={trans.__('Show %1 in Files', path)}
      onClick={() => actions.showTab('files', path)}
    >
      {url && <img src={url} alt={alt || path} />}
    </button>
  );
}

function Part({ part }: { part: OutputPart }): JSX.Element {
  const { trans, RenderOutput } = useUi();
  const actions = useActions();
  const executionId = useProject(state => state.executionId);
  switch (part.type) {
    case 'text':
      return <TextOutput text={part.text} />;
    case 'image':
      return <Picture path={part.path} alt={part.alt} />;
    case 'file':
      return (
        <button type="button" className="ca-Link" onClick={() => actions.showTab('files', part.path)}>
          <Icon name="file" />
          {trans.__('%1, %2', part.path, size(part.size))}
        </button>
      );
    case 'display':
      return (
        <Tall>
          <RenderOutput data={part.data} executionId={executionId} />
        </Tall>
      );
  }
}

export const Output = memo(function Output({ output }: { output: readonly OutputPart[] }) {
  return (
    <div className="ca-Output">
      {output.map((part, index) => (
        <Part key={index} part={part} />
      ))}
    </div>
  );
});

/** Pictures among the output: worth seeing without opening the row. */
export function picturesOf(output: readonly OutputPart[]): ImagePart[] {
  return output.filter((part): part is ImagePart => part.type === 'image');
}
