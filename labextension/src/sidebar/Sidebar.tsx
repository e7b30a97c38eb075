/**
 * The left sidebar: projects to open or make, and the latest executions with their live status.
 */
import '../../style/theme.css';
import '../../style/shared.css';
import '../../style/sidebar.css';
import '../../style/forced.css';

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { DragEvent, MouseEvent } from 'react';

import type { Client } from '../api/client';
import type { ApiError } from '../api/errors';
import type { LiveExecutions } from '../api/live';
import type { ExecutionState, ProjectRow } from '../api/types';
import { hasEnded } from '../api/types';
import { CommandIDs } from '../commands';
import { dateAndTime } from '../ui/dates';
import { duration, elapsed, money } from '../ui/format';
import { useNow } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { advice, endLabel, statusLabel } from '../ui/labels';
import type { Translation } from '../ui/labels';
import type { MenuEntry, Place } from '../ui/port';
import { StateDot } from '../ui/StateDot';

export interface SidebarProps {
  trans: Translation;
  client: Client;
  live: LiveExecutions;
  /** Goes up when projects may have changed. */
  revision: number;
  openIds: ReadonlySet<string>;
  currentId: string | null;
  onOpen: (projectId: string, executionId?: string) => void;
  /** Do something about projects that Lab has a command for. */
  onCommand: (command: string, args?: Record<string, string | boolean>) => void;
  /** Archives were dropped here. */
  onFiles: (files: readonly File[]) => void;
  openMenu: (entries: readonly MenuEntry[], at: Place) => void;
}

/** Executions that the sidebar shows. */
const LATEST = 12;

function useProjects(client: Client, search: string, revision: number) {
  const [projects, setProjects] = useState<ProjectRow[] | null>(null);
  const [trouble, setTrouble] = useState<ApiError | null>(null);
  const [again, setAgain] = useState(0);
  useEffect(() => {
    let gone = false;
    const timer = setTimeout(
      () => {
        client.projects(search || undefined).then(
          page => {
            if (!gone) {
              setProjects(page.items);
              setTrouble(null);
            }
          },
          (error: ApiError) => !gone && setTrouble(error)
        );
      },
      search ? 150 : 0
    );
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [client, search, revision, again]);
  return { projects, trouble, retry: () => setAgain(count => count + 1) };
}

/** Where a menu of a button opens: under its left edge. */
function below(event: MouseEvent): Place {
  const box = event.currentTarget.getBoundingClientRect();
  return { x: box.left, y: box.bottom };
}

/** What can be done with projects as a whole. */
function Actions({ trans, onCommand, openMenu }: SidebarProps): JSX.Element {
  const entries: MenuEntry[] = [
    {
      label: trans.__('New from a template…'),
      icon: 'plus',
      run: () => onCommand(CommandIDs.newProject)
    },
    {
      label: trans.__('Import an archive…'),
      caption: trans.__('Ours, or that of a Claude Code project'),
      icon: 'upload',
      run: () => onCommand(CommandIDs.importProject)
    },
    {
      label: trans.__('Back up now'),
      icon: 'archive',
      parted: true,
      run: () => onCommand(CommandIDs.backUp)
    },
    {
      label: trans.__('Backups…'),
      caption: trans.__('List, download, restore'),
      run: () => onCommand(CommandIDs.showBackups)
    }
  ];
  return (
    <button
      type="button"
      className="ca-Button"
      aria-haspopup="menu"
      aria-label={trans.__('New, import, backups')}
      title={trans.__('New, import, backups')}
      onClick={event => openMenu(entries, below(event))}
    >
      <Icon name="more" />
    </button>
  );
}

/** What can be done with one project. */
function projectMenu(props: SidebarProps, project: ProjectRow): MenuEntry[] {
  const { trans, onOpen, onCommand } = props;
  const named = { id: project.id, name: project.name };
  const write = (format: string, executions = false) =>
    onCommand(CommandIDs.exportProject, { ...named, format, executions });
  return [
    { label: trans.__('Open'), icon: 'agent', run: () => onOpen(project.id) },
    {
      label: trans.__('Duplicate'),
      icon: 'copy',
      disabled: project.unreadable !== null,
      run: () => onCommand(CommandIDs.duplicateProject, named)
    },
    {
      label: trans.__('Export'),
      icon: 'download',
      entries: [
        { label: trans.__('Archive (.zip)'), run: () => write('zip') },
        { label: trans.__('Archive (.tar.gz)'), run: () => write('tar.gz') },
        { label: trans.__('Archive with executions (.zip)'), run: () => write('zip', true) },
        { label: trans.__('Claude Code project (.zip)'), run: () => write('claude') },
        { label: trans.__('Python script (.py)'), run: () => write('python') }
      ]
    },
    {
      label: trans.__('Delete…'),
      icon: 'trash',
      parted: true,
      run: () => onCommand(CommandIDs.deleteProject, named)
    }
  ];
}

function ProjectItem({ project, ...props }: SidebarProps & { project: ProjectRow }): JSX.Element {
  const { trans, currentId, openIds, onOpen, openMenu } = props;
  const menu = () => projectMenu(props, project);
  return (
    <li
      className="ca-Item"
      data-current={project.id === currentId || undefined}
      data-open={openIds.has(project.id) || undefined}
      onContextMenu={event => {
        event.preventDefault();
        event.stopPropagation();
        openMenu(menu(), { x: event.clientX, y: event.clientY });
      }}
    >
      <button
        type="button"
        className="ca-Item-main"
        title={project.unreadable ?? (project.description || project.name)}
        onClick={() => onOpen(project.id)}
      >
        <Icon name={project.unreadable ? 'warning' : 'agent'} />
        <span className="ca-Clip">{project.name}</span>
        <span className="ca-Item-aside">
          {project.unreadable ? trans.__('unreadable') : trans.__('v%1', project.version)}
        </span>
      </button>
      <button
        type="button"
        className="ca-Button ca-Item-more"
        aria-haspopup="menu"
        aria-label={trans.__('More about %1', project.name)}
        title={trans.__('Duplicate, export, delete')}
        onClick={event => openMenu(menu(), below(event))}
      >
        <Icon name="more" />
      </button>
    </li>
  );
}

function executionFact(trans: Translation, state: ExecutionState, now: number): string {
  switch (state.status) {
    case 'running':
      return `${money(state.total_cost_usd)} · ${elapsed(now - Date.parse(state.started_at ?? state.created_at))}`;
    case 'completed':
      return `${money(state.total_cost_usd)} · ${duration(state.duration_ms ?? 0)}`;
    case 'failed':
      return endLabel(trans, state.error?.code ?? '');
    default:
      return statusLabel(trans, state.status);
  }
}

function Executions({ trans, live, onOpen }: SidebarProps): JSX.Element {
  const states = useSyncExternalStore(
    live.subscribe,
    useCallback(() => live.states, [live])
  );
  const latest = states.slice(0, LATEST);
  const now = useNow(latest.some(state => !hasEnded(state.status)));
  if (!latest.length) {
    return (
      <p className="ca-Hint">{trans.__('Runs appear here, from the panel, notebooks and programs alike.')}</p>
    );
  }
  return (
    <ul className="ca-List">
      {latest.map(state => (
        <li key={state.execution_id} className="ca-Item">
          <button
            type="button"
            className="ca-Item-main"
            title={[
              statusLabel(trans, state.status),
              state.simulated ? trans.__('simulated model') : state.model,
              dateAndTime(state.created_at)
            ].join(' · ')}
            onClick={() => onOpen(state.project_id, state.execution_id)}
          >
            <StateDot state={state.status} />
            <span className="ca-Hidden">{statusLabel(trans, state.status)}</span>
            <span className="ca-Clip">{state.project_name}</span>
            <span className="ca-Item-aside">{executionFact(trans, state, now)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Whether what is dragged over comes from the person's own files. */
function bringsFiles(event: DragEvent): boolean {
  return event.dataTransfer.types.includes('Files');
}

export function Sidebar(props: SidebarProps): JSX.Element {
  const { trans, client, revision } = props;
  const [search, setSearch] = useState('');
  const [dropping, setDropping] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const { projects, trouble, retry } = useProjects(client, search, revision);
  // Whoever came by keyboard before this was loaded waits on its shell.
  useEffect(() => {
    if (input.current?.closest('.lm-Widget') === document.activeElement) {
      input.current?.focus();
    }
  }, []);
  return (
    // "/" anywhere in the sidebar goes to its search field.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      className="ca-Sidebar"
      data-dropping={dropping || undefined}
      onDragOver={event => {
        if (bringsFiles(event)) {
          event.preventDefault();
          event.dataTransfer.dropEffect = 'copy';
          setDropping(true);
        }
      }}
      onDragLeave={event => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) {
          setDropping(false);
        }
      }}
      onDrop={event => {
        setDropping(false);
        if (bringsFiles(event)) {
          event.preventDefault();
          props.onFiles([...event.dataTransfer.files]);
        }
      }}
      onKeyDown={event => {
        if (event.key === '/' && event.target !== input.current) {
          event.preventDefault();
          input.current?.focus();
        }
      }}
    >
      <label className="ca-Sidebar-search">
        <Icon name="search" />
        <span className="ca-Hidden">{trans.__('Search projects')}</span>
        <input
          ref={input}
          type="search"
          value={search}
          placeholder={trans.__('Search projects')}
          data-lm-suppress-shortcuts="true"
          onChange={event => setSearch(event.target.value)}
        />
      </label>
      <section>
        <div className="ca-Sidebar-head">
          <h2 className="ca-Heading">{trans.__('Projects')}</h2>
          <Actions {...props} />
        </div>
        {trouble ? (
          <div className="ca-Hint" role="alert">
            {[trouble.code === 'OFFLINE' ? null : trouble.message, advice(trans, trouble.code)]
              .filter(Boolean)
              .join(' ')}
            <button type="button" className="ca-Link" onClick={retry}>
              {trans.__('Try again')}
            </button>
          </div>
        ) : (
          <ul className="ca-List">
            {projects?.map(project => (
              <ProjectItem key={project.id} {...props} project={project} />
            ))}
          </ul>
        )}
        {projects?.length === 0 && (
          <p className="ca-Hint">
            {search
              ? trans.__('No project has "%1" in its name.', search)
              : trans.__('No projects yet. Start from a template: it runs without any account.')}
          </p>
        )}
        <button
          type="button"
          className="ca-Link ca-New"
          onClick={() => props.onCommand(CommandIDs.newProject)}
        >
          <Icon name="plus" />
          {trans.__('New from template')}
        </button>
      </section>
      <section>
        <h2 className="ca-Heading">{trans.__('Executions')}</h2>
        <Executions {...props} />
      </section>
    </div>
  );
}
