/**
 * The versions view, in place of the canvas: choose a version, see what it changed or how it was, go back to
 * it, or hold calls with a key to it.
 */
import { useEffect, useMemo, useRef, useState } from 'react';

import { FrozenCanvas } from '../canvas/FrozenCanvas';
import type { Definition, VersionRow } from '../api/types';
import { compare, counted } from '../graph/compare';
import { changesBetween } from '../graph/differences';
import { graphOf } from '../graph/graph';
import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';
import { useLoaded } from '../ui/useLoaded';

import { CardFields } from './CardFields';
import { Changes } from './Changes';
import type { Chosen } from './VersionList';
import { VersionList } from './VersionList';

/** What a version is compared with: another one, the project now, or nothing. */
type Against = number | 'now' | 'nothing';

function useDefinitions(definition: Definition, versions: readonly (number | null)[]) {
  const { client } = useUi();
  const project = useProject(state => state.projectId);
  const numbers = versions.filter(each => each !== null);
  const loaded = useLoaded(
    async () =>
      new Map(
        await Promise.all(
          numbers.map(async each => [each, (await client.admin.version(project, each)).definition] as const)
        )
      ),
    `${project} ${numbers.join(' ')}`
  );
  return { ...loaded, of: (each: Chosen) => (each === null ? definition : loaded.data?.get(each)) };
}

/** The version that came before `chosen`, null for the first. */
function before(rows: readonly VersionRow[], chosen: Chosen): number | null {
  const readable = rows.filter(row => row.unreadable === null);
  const older = chosen === null ? readable : readable.filter(row => row.version < chosen);
  return older[0]?.version ?? null;
}

/** Files of the project that differ between two versions; none for what is in no version yet. */
function useFiles(older: Chosen | undefined, newer: Chosen) {
  const { client } = useUi();
  const project = useProject(state => state.projectId);
  const { data } = useLoaded(
    async () =>
      typeof older === 'number' && newer !== null
        ? (await client.admin.diff(project, older, newer)).files.filter(file =>
            file.path.startsWith('files/')
          )
        : [],
    `${project} ${older} ${newer}`
  );
  return data ?? [];
}

function Doings({ chosen, onDone }: { chosen: number; onDone: () => void }): JSX.Element {
  const { trans, shell } = useUi();
  const actions = useActions();
  const published = useProject(state => state.saved?.published_version === chosen);
  // Not `disabled` meanwhile: a button that is takes the focus away from whoever pressed it.
  const [busy, setBusy] = useState(false);
  const doing = async (task: () => Promise<boolean>) => {
    if (busy) {
      return;
    }
    setBusy(true);
    if (await task()) {
      onDone();
    }
    setBusy(false);
  };
  const restore = async () => {
    const sure = await shell.confirm({
      title: trans.__('Make the project what v%1 was?', chosen),
      body: trans.__(
        'That becomes a new version; what is here now stays in the list. Project files go back with it.'
      ),
      accept: trans.__('Restore')
    });
    if (sure) {
      await doing(() => actions.restoreVersion(chosen));
    }
  };
  return (
    <>
      <button type="button" className="ca-Secondary" aria-disabled={busy} onClick={() => void restore()}>
        {trans.__('Restore')}
      </button>
      {published ? (
        <button
          type="button"
          className="ca-Secondary"
          aria-disabled={busy}
          title={trans.__('Calls with a key run the newest version again')}
          onClick={() => void doing(() => actions.unpublish(chosen))}
        >
          {trans.__('Unpublish')}
        </button>
      ) : (
        <button
          type="button"
          className="ca-Secondary"
          aria-disabled={busy}
          title={trans.__('Calls with a key run this version from now on')}
          onClick={() => void doing(() => actions.publish(chosen))}
        >
          {trans.__('Publish')}
        </button>
      )}
    </>
  );
}

/** How many cards differ in one way; where room is short, without the word. */
function Count({ mark, short, long }: { mark: string; short: string; long: string }): JSX.Element | null {
  return /[1-9]/.test(short) ? (
    <span data-mark={mark} title={long}>
      <span className="ca-Versions-words">{long}</span>
      <span className="ca-Versions-short" aria-hidden="true">
        {short}
      </span>
    </span>
  ) : null;
}

export function Versions({ definition }: { definition: Definition }): JSX.Element {
  const { trans, client } = useUi();
  const actions = useActions();
  const project = useProject(state => state.projectId);
  const version = useProject(state => state.saved?.version);
  const list = useLoaded(() => client.admin.versions(project), project);
  const rows = list.data?.items ?? [];
  const [chosen, setChosen] = useState<Chosen>(null);
  const [wanted, setWanted] = useState<Against | null>(null);
  const [card, setCard] = useState<string | null>(null);
  // A save elsewhere in the panel makes a version: the list follows.
  const [seen, setSeen] = useState(version);
  if (seen !== version) {
    setSeen(version);
    list.reload();
  }
  const previous = before(rows, chosen);
  const against: Against = wanted ?? previous ?? 'nothing';
  // The older of the two stands on the left, whichever was chosen first.
  const other: Chosen | undefined = against === 'nothing' ? undefined : against === 'now' ? null : against;
  const later = other === null || (chosen !== null && other !== undefined && other > chosen);
  const [older, newer] =
    other === undefined ? [undefined, chosen] : later ? [chosen, other] : [other, chosen];
  const definitions = useDefinitions(
    definition,
    [older, newer].filter(each => each !== undefined)
  );
  const files = useFiles(older, newer);
  const was = older === undefined ? undefined : definitions.of(older);
  const is = definitions.of(newer);
  const comparison = useMemo(() => (was && is ? compare(was, is) : null), [was, is]);
  const changes = useMemo(() => (was && is ? changesBetween(was, is) : []), [was, is]);
  const alone = useMemo(() => (is ? graphOf(is) : null), [is]);
  const graph = comparison?.graph ?? alone;
  const counts = comparison && counted(comparison);
  const title = (each: Chosen) => (each === null ? trans.__('now') : trans.__('v%1', each));
  const what =
    older === undefined ? trans.__('%1, as it was', title(newer)) : `${title(older)} → ${title(newer)}`;
  const choose = (next: Chosen) => {
    setChosen(next);
    setWanted(null);
    setCard(null);
  };
  const trouble = list.trouble ?? definitions.trouble;
  // The focus comes along, and goes back to where it came from.
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    box.current?.querySelector<HTMLElement>('[aria-current]')?.focus();
    return () => (opener instanceof HTMLElement && opener.isConnected ? opener.focus() : undefined);
  }, []);
  return (
    // Escape goes back to the canvas.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      ref={box}
      className="ca-Versions"
      role="region"
      aria-label={trans.__('Versions of %1', definition.name)}
      onKeyDown={event => event.key === 'Escape' && actions.cover(null)}
    >
      <VersionList rows={rows} chosen={chosen} onChoose={choose} onMade={list.reload} />
      <div className="ca-Versions-main">
        <div className="ca-Versions-head">
          <strong>{what}</strong>
          {counts && (
            <span className="ca-Versions-counts">
              <Count mark="added" short={`+${counts.added}`} long={trans.__('+%1 added', counts.added)} />
              <Count
                mark="removed"
                short={`−${counts.removed}`}
                long={trans.__('−%1 removed', counts.removed)}
              />
              <Count
                mark="changed"
                short={`~${counts.changed}`}
                long={trans.__('~%1 changed', counts.changed)}
              />
            </span>
          )}
          <label className="ca-Versions-against">
            <span className="ca-Versions-words">{trans.__('compare with')}</span>
            <select
              value={String(against)}
              onChange={event => {
                const { value } = event.target;
                setWanted(value === 'now' || value === 'nothing' ? value : Number(value));
                setCard(null);
              }}
            >
              <option value="nothing">{trans.__('nothing: look at it alone')}</option>
              {chosen !== null && <option value="now">{trans.__('now')}</option>}
              {rows
                .filter(row => row.version !== chosen && row.unreadable === null)
                .map(row => (
                  <option key={row.version} value={row.version}>
                    {row.label ? `${title(row.version)} · ${row.label}` : title(row.version)}
                  </option>
                ))}
            </select>
          </label>
          <span className="ca-Toolbar-space" />
          {chosen !== null && (
            <Doings
              key={chosen}
              chosen={chosen}
              onDone={() => {
                list.reload();
              }}
            />
          )}
          <button
            type="button"
            className="ca-Button"
            aria-label={trans.__('Close versions')}
            title={trans.__('Back to the canvas')}
            onClick={() => actions.cover(null)}
          >
            <Icon name="close" />
          </button>
        </div>
        {trouble && (
          <p role="alert" className="ca-Field-bad">
            {trouble}{' '}
            <button type="button" className="ca-Link" onClick={list.reload}>
              {trans.__('Try again')}
            </button>
          </p>
        )}
        {is && graph && (older === undefined || was) ? (
          <>
            <FrozenCanvas
              key={`${older} ${newer}`}
              definition={is}
              before={was}
              graph={graph}
              marks={comparison?.marks}
              label={trans.__('Canvas of %1', what)}
              picked={card}
              onPick={setCard}
            />
            {/* The list is longer than its place, and scrolls by keyboard, too. */}
            {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
            <div className="ca-Versions-changes" tabIndex={0} role="region" aria-label={trans.__('Changes')}>
              {card !== null && (
                <button type="button" className="ca-Link" onClick={() => setCard(null)}>
                  {trans.__('Show all')}
                </button>
              )}
              {was ? (
                <Changes changes={changes} files={files} before={was} after={is} only={card} />
              ) : (
                <CardFields definition={is} card={card} />
              )}
            </div>
          </>
        ) : (
          !trouble && (
            <p className="ca-Hint" role="status">
              {trans.__('Loading')}
            </p>
          )
        )}
      </div>
    </div>
  );
}
