/**
 * Templates to begin with: a picture, a name and what each does; and the name of the new project.
 */
import '../../style/theme.css';
import '../../style/shared.css';
import '../../style/projects.css';
import '../../style/forced.css';

import { useEffect, useId, useRef, useState } from 'react';

import type { Client } from '../api/client';
import type { TemplateRow } from '../api/types';
import type { Translation } from '../ui/labels';
import { useLoaded } from '../ui/useLoaded';

import { freeName } from './names';
import { contents, TemplatePicture } from './TemplatePicture';

export interface Choice {
  template: TemplateRow;
  name: string;
}

export interface GalleryProps {
  trans: Translation;
  client: Client;
  /** Names that are taken. */
  taken: readonly string[];
  /** What is chosen now. */
  onChoose: (choice: Choice) => void;
  /** It is chosen, and wanted at once. */
  onDone: () => void;
}

export function Gallery({ trans, client, taken, onChoose, onDone }: GalleryProps): JSX.Element {
  const id = useId();
  const { data, trouble, reload } = useLoaded(() => client.templates(), 'templates');
  const [wanted, setWanted] = useState<string | null>(null);
  const [typed, setTyped] = useState<string | null>(null);
  const rows = data?.items ?? [];
  const list = useRef<HTMLFieldSetElement>(null);
  // The templates come after the dialog has opened: the keyboard goes to them then.
  useEffect(() => list.current?.querySelector<HTMLElement>('input:checked')?.focus(), [data]);
  const template = rows.find(row => row.id === wanted) ?? rows[0];
  const name = typed ?? (template ? freeName(template.name, taken) : '');
  useEffect(() => {
    if (template) {
      onChoose({ template, name: name.trim() || freeName(template.name, taken) });
    }
  }, [template, name, taken, onChoose]);
  if (trouble) {
    return (
      <p role="alert" className="ca-Gallery-trouble">
        {trouble}{' '}
        <button type="button" className="ca-Link" onClick={reload}>
          {trans.__('Try again')}
        </button>
      </p>
    );
  }
  if (!template) {
    return <p role="status">{trans.__('Loading')}</p>;
  }
  return (
    <div className="ca-Gallery">
      <p className="ca-Gallery-hint">
        {trans.__('Each runs as it is, without any account: a simulated model plays until a key is set.')}
      </p>
      <fieldset ref={list}>
        <legend className="ca-Hidden">{trans.__('Template')}</legend>
        {rows.map(row => (
          <label key={row.id} data-chosen={row === template || undefined} onDoubleClick={onDone}>
            <input
              type="radio"
              className="ca-Hidden"
              name={id}
              checked={row === template}
              onChange={() => setWanted(row.id)}
            />
            <TemplatePicture definition={row.definition} />
            <strong>{row.name}</strong>
            <span className="ca-Gallery-what">{row.description}</span>
            <span className="ca-Gallery-parts">{contents(trans, row.definition)}</span>
          </label>
        ))}
      </fieldset>
      <label className="ca-Gallery-name">
        {trans.__('Name of the project')}
        <input
          type="text"
          className="jp-mod-styled"
          value={name}
          maxLength={200}
          spellCheck={false}
          onChange={event => setTyped(event.target.value)}
        />
      </label>
    </div>
  );
}
