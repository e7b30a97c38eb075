/**
 * What differs between two definitions, card by card: values beside each other, texts compared word by word.
 */
import { Suspense, lazy } from 'react';

import type { Definition, FileChange } from '../api/types';
import type { FieldChange } from '../graph/differences';
import { cardOf } from '../graph/differences';
import { useUi } from '../ui/context';
import type { GlyphName } from '../ui/glyphs';
import { Icon } from '../ui/Icon';
import { fieldLabel, isProse, ownerLabel } from '../ui/places';

import type { TextDiffProps } from './TextDiff';
import { ItemFields, Value } from './Value';

const TextDiff = lazy(() => import('./TextDiff').then(module => ({ default: module.TextDiff })));

/** Compares two texts; the editor comes when it is first needed. */
export function LazyTextDiff(props: TextDiffProps): JSX.Element {
  const { trans } = useUi();
  return (
    <Suspense fallback={<p role="status">{trans.__('Loading')}</p>}>
      <TextDiff {...props} />
    </Suspense>
  );
}

function FieldRow({ change }: { change: FieldChange }): JSX.Element {
  const { trans } = useUi();
  const { place, kind, before, after } = change;
  const label = fieldLabel(trans, place, kind);
  const whole = label === '';
  const title = whole
    ? before === undefined
      ? trans.__('Added')
      : after === undefined
        ? trans.__('Removed')
        : trans.__('Changed')
    : label;
  const prose =
    (isProse(before) || isProse(after)) && typeof before === 'string' && typeof after === 'string';
  return (
    <li
      className="ca-Change"
      data-mark={before === undefined ? 'added' : after === undefined ? 'removed' : 'changed'}
    >
      <h4>{title}</h4>
      {whole ? (
        <ItemFields item={(after ?? before) as object} />
      ) : prose ? (
        <LazyTextDiff
          before={before}
          after={after}
          beforeLabel={trans.__('%1 before', title)}
          afterLabel={trans.__('%1 after', title)}
        />
      ) : (
        <div className="ca-Change-values">
          <div data-side="before">
            <span className="ca-Field-label">{trans.__('before')}</span>
            <Value value={before} />
          </div>
          <div data-side="after">
            <span className="ca-Field-label">{trans.__('after')}</span>
            <Value value={after} />
          </div>
        </div>
      )}
    </li>
  );
}

/** Changes in order, by the card (or project) that they belong to. */
export function byOwner<T extends { place: FieldChange['place'] }>(changes: readonly T[]): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const change of changes) {
    const owner = cardOf(change.place) ?? '';
    groups.set(owner, [...(groups.get(owner) ?? []), change]);
  }
  return [...groups];
}

export function OwnerHeading({ owner, name }: { owner: string; name: string }): JSX.Element {
  const kind = (owner === '' ? 'properties' : owner.split(':')[0]) as GlyphName;
  return (
    <h3 className="ca-Changes-owner">
      <span className="ca-Card-icon" data-kind={owner === '' ? 'project' : kind}>
        <Icon name={kind} />
      </span>
      {name}
    </h3>
  );
}

function FileRow({ file }: { file: FileChange }): JSX.Element {
  const { trans } = useUi();
  const words =
    file.change === 'added'
      ? trans.__('added')
      : file.change === 'removed'
        ? trans.__('removed')
        : trans.__('changed');
  return (
    <li className="ca-Change" data-mark={file.change}>
      <h4>
        <code>{file.path.replace(/^files\//, '')}</code> {words}
      </h4>
      {file.diff === null ? (
        <p className="ca-Field-help">{trans.__('Not a text, or too long to compare here.')}</p>
      ) : (
        <pre
          className="ca-Value ca-UnifiedDiff"
          // Wide lines scroll, also by keyboard.
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
          tabIndex={0}
          aria-label={trans.__('Changes of %1', file.path)}
        >
          {file.diff.split('\n').map((line, index) => (
            <span key={index} data-sign={/^[+-](?![+-]{2})/.test(line) ? line[0] : undefined}>
              {`${line}\n`}
            </span>
          ))}
        </pre>
      )}
    </li>
  );
}

export function Changes(props: {
  changes: readonly FieldChange[];
  /** Changes of the project's own files. */
  files: readonly FileChange[];
  before: Definition;
  after: Definition;
  /** Only those of this card. */
  only: string | null;
}): JSX.Element {
  const { trans } = useUi();
  const { changes, files, before, after, only } = props;
  const groups = byOwner(changes).filter(([owner]) => only === null || owner === only);
  const shownFiles = only === null ? files : [];
  if (!groups.length && !shownFiles.length) {
    return (
      <p className="ca-Field-help">
        {only === null
          ? trans.__('Nothing differs, save perhaps where cards stand.')
          : trans.__('Nothing of this card differs.')}
      </p>
    );
  }
  return (
    <>
      {groups.map(([owner, list]) => (
        <section key={owner} className="ca-Changes">
          <OwnerHeading owner={owner} name={ownerLabel(trans, list[0].place, after, before)} />
          <ul>
            {list.map(change => (
              <FieldRow key={`${change.kind} ${change.place.join('.')}`} change={change} />
            ))}
          </ul>
        </section>
      ))}
      {shownFiles.length > 0 && (
        <section className="ca-Changes">
          <h3 className="ca-Changes-owner">
            <span className="ca-Card-icon" data-kind="project">
              <Icon name="file" />
            </span>
            {trans.__('Files of the project')}
          </h3>
          <ul>
            {shownFiles.map(file => (
              <FileRow key={file.path} file={file} />
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
