/**
 * The left sidebar: projects to open or make, and the latest executions with their live status.
 */
import '../../style/shared.css';
import '../../style/sidebar.css';

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';

import type { Client } from '../api/client';
import type { ApiError } from '../api/errors';
import type { LiveExecutions } from '../api/live';
import type { ExecutionState, ProjectRow, TemplateRow } from '../api/types';
import { hasEnded } from '../api/types';
import { duration, elapsed, money } from '../ui/format';
import { useNow } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { advice, endLabel, statusLabel } from '../ui/labels';
import type { Translation } from '../ui/labels';
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
  onCreate: (template: TemplateRow) => Promise<void>;
  onDelete: (project: ProjectRow) => Promise<void>;
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

function NewProject({ trans, client, onCreate }: SidebarProps): JSX.Element {
  const [templates, setTemplates] = useState<TemplateRow[] | null>(null);
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string | null>(null);
  const toggle = async () => {
    setOpen(!open);
    if (!open) {
      setFailed(null);
      try {
        setTemplates((await client.templates()).items);
      } catch (error) {
        setFailed(error instanceof Error ? error.message : String(error));
      }
    }
  };
  const create = async (template: TemplateRow) => {
    setBusy(true);
    try {
      await onCreate(template);
      setOpen(false);
    } catch (error) {
      setFailed(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="ca-New">
      <button type="button" className="ca-Link" aria-expanded={open} onClick={() => void toggle()}>
        <Icon name={open ? 'down' : 'plus'} />
        {trans.__('New from template')}
      </button>
      {open && (
        <ul className="ca-New-list">
          {templates?.map(template => (
            <li key={template.id}>
              <button type="button" disabled={busy} onClick={() => void create(template)}>
                <strong>{template.name}</strong>
                <span>{template.description}</span>
              </button>
            </li>
          ))}
          {failed && <li role="alert">{failed}</li>}
        </ul>
      )}
    </div>
  );
}

function ProjectItem({ project, ...props }: SidebarProps & { project: ProjectRow }): JSX.Element {
  const { trans, currentId, openIds, onOpen, onDelete } = props;
  return (
    <li
      className="ca-Item"
      data-current={project.id === currentId || undefined}
      data-open={openIds.has(project.id) || undefined}
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
          {project.unreadable ? trans.__('unreadable') : `v${project.version}`}
        </span>
      </button>
      <button
        type="button"
        className="ca-Button ca-Item-more"
        aria-label={trans.__('Delete %1', project.name)}
        title={trans.__('Delete')}
        onClick={() => void onDelete(project)}
      >
        <Icon name="trash" />
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
              state.simulated ? trans.__('simulated model') : state.model
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

export function Sidebar(props: SidebarProps): JSX.Element {
  const { trans, client, revision } = props;
  const [search, setSearch] = useState('');
  const input = useRef<HTMLInputElement>(null);
  const { projects, trouble, retry } = useProjects(client, search, revision);
  return (
    // "/" anywhere in the sidebar goes to its search field.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      className="ca-Sidebar"
      onKeyDown={event => {
        if (event.key === '/' && event.target !== input.current) {
          event.preventDefault();
          input.current?.focus();
        }
      }}
    >
      <label className="ca-Search">
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
        <h2 className="ca-Heading">{trans.__('Projects')}</h2>
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
        <NewProject {...props} />
      </section>
      <section>
        <h2 className="ca-Heading">{trans.__('Executions')}</h2>
        <Executions {...props} />
      </section>
    </div>
  );
}
