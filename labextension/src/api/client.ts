/**
 * The requests of the panel, one method a route; loaded with the first view that has something to ask.
 *
 * Not here: what is asked from JupyterLab's start (`executions.ts`), how a request is proved to the server
 * (`transport.ts`), and the event stream (`stream.ts`).
 */
import { Admin } from './admin';
import { Executions } from './executions';
import { JSON_HEADERS, query } from './requests';
import type { Tagged, Transport } from './requests';
import type { Schema } from './schema';
import type {
  Accepted,
  Agreement,
  Backtest,
  McpTest,
  ApprovalDecision,
  Begun,
  CassetteRow,
  CreatedProject,
  Definition,
  ExecuteRequest,
  ExecutionEvent,
  ExecutionState,
  FileRow,
  ForkRequest,
  ModelList,
  Page,
  PartialLimits,
  ProjectRow,
  TemplateRow,
  ToolRow,
  UiPatch,
  Upload,
  Validation
} from './types';

export type { Tagged, Transport } from './requests';

/** A file path as URL segments: slashes stay, everything else is escaped. */
export function escapePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

export class Client extends Executions {
  constructor(transport: Transport, root = '') {
    super(transport, root);
    this.admin = new Admin(transport);
  }

  /** Keys, secrets, versions, archives and backups. */
  readonly admin: Admin;

  templates(): Promise<Page<TemplateRow>> {
    return this._json('templates');
  }

  tools(): Promise<Page<ToolRow>> {
    return this._json('tools');
  }

  models(): Promise<ModelList> {
    return this._json('models');
  }

  /** The schemas of the contract, by name. */
  async schemas(): Promise<Record<string, Schema>> {
    const document = await this._json<{ components: { schemas: Record<string, Schema> } }>('openapi.json');
    return document.components.schemas;
  }

  /** What a hook, as it was saved, would have done to the project's last executions. */
  backtest(id: string, hook: string, last: number): Promise<Backtest> {
    return this._json(`projects/${id}/hooks/${hook}/backtest`, this._body('POST', { last }));
  }

  projects(q?: string, limit = 100): Promise<Page<ProjectRow>> {
    return this._json(`projects${query({ q, limit })}`);
  }

  createProject(name: string, template?: string): Promise<CreatedProject> {
    return this._json('projects', this._body('POST', { name, template: template ?? null }));
  }

  project(id: string): Promise<Tagged> {
    return this._tagged(`projects/${id}`);
  }

  /**
   * Replace the definition; a stale `etag` fails with PRECONDITION_FAILED and changes nothing.
   * A draft is saved without becoming a version.
   */
  saveProject(id: string, definition: Definition, etag: string | null, draft = false): Promise<Tagged> {
    const init = this._body('PUT', definition);
    if (etag) {
      init.headers = { ...JSON_HEADERS, 'If-Match': etag };
    }
    return this._tagged(`projects/${id}${draft ? '?draft=true' : ''}`, init);
  }

  async patchUi(id: string, patch: UiPatch): Promise<void> {
    await this._send(`projects/${id}/ui`, this._body('PATCH', patch));
  }

  async deleteProject(id: string): Promise<void> {
    await this._send(`projects/${id}`, { method: 'DELETE' });
  }

  validate(id: string): Promise<Validation> {
    return this._json(`projects/${id}/validate`, this._body('POST', {}));
  }

  /** Connect to an MCP server as it was saved, and list its tools; fails with the server's own words. */
  testMcp(id: string, server: string): Promise<McpTest> {
    return this._json(`projects/${id}/mcps/${server}/test`, this._body('POST', {}));
  }

  /** What a project would run as it is saved, with the hash that stands for it. */
  agreement(id: string): Promise<Agreement> {
    return this._json(`projects/${id}/trust`);
  }

  /** Agree to what `hash` stands for. */
  trust(id: string, hash: string): Promise<Tagged> {
    return this._tagged(`projects/${id}/trust`, this._body('POST', { hash }));
  }

  execute(id: string, request: ExecuteRequest): Promise<Accepted> {
    const init = this._body('POST', request);
    init.headers = { ...JSON_HEADERS, 'X-CloutAgent-Origin': 'panel' };
    return this._json(`projects/${id}/execute`, init);
  }

  execution(id: string): Promise<ExecutionState> {
    return this._json(`executions/${id}`);
  }

  /** Answer a tool call that waits for a person. */
  decide(id: string, callId: string, decision: ApprovalDecision): Promise<ExecutionState> {
    return this._json(
      `executions/${id}/approvals/${encodeURIComponent(callId)}`,
      this._body('POST', decision)
    );
  }

  /** Let one go on: itself where it was interrupted, a new one where it has failed. */
  async resume(id: string, limits?: PartialLimits): Promise<string> {
    const body = this._body('POST', limits ? { limits } : {});
    return (await this._json<Begun>(`executions/${id}/resume`, body)).execution_id;
  }

  /** A new execution that shares the history of this one before the turn of an event. */
  async fork(id: string, request: ForkRequest): Promise<string> {
    const begun = await this._json<Begun>(`executions/${id}/fork`, this._body('POST', request));
    return begun.execution_id;
  }

  async deleteExecution(id: string): Promise<void> {
    await this._send(`executions/${id}`, { method: 'DELETE' });
  }

  /** Keep it beyond the server's retention, or no longer. */
  pin(id: string, pinned: boolean): Promise<ExecutionState> {
    const init = pinned ? this._body('POST', {}) : { method: 'DELETE' };
    return this._json(`executions/${id}/pin`, init);
  }

  /** All events of an execution, page by page. */
  async events(id: string): Promise<ExecutionEvent[]> {
    const all: ExecutionEvent[] = [];
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page: Page<ExecutionEvent> = await this._json(`executions/${id}/events${query({ cursor })}`);
      all.push(...page.items);
      cursor = page.next_cursor;
    }
    return all;
  }

  /** The run as an executed notebook. */
  async notebook(id: string): Promise<Blob> {
    return (await this._send(`executions/${id}/notebook`)).blob();
  }

  /** Keep the model's replies for replay, and with `tools` the results of tools too. */
  async keepCassette(id: string, tools: boolean): Promise<string> {
    const kept = await this._json<{ cassette_id: string }>(
      `executions/${id}/cassette`,
      this._body('POST', { tools })
    );
    return kept.cassette_id;
  }

  cassettes(project: string): Promise<Page<CassetteRow>> {
    return this._json(`projects/${project}/cassettes`);
  }

  /** Bring a file for executions; it is kept for a day. */
  upload(project: string, data: Blob): Promise<Upload> {
    const headers = { 'Content-Type': 'application/octet-stream' };
    return this._json(`projects/${project}/uploads`, { method: 'POST', body: data, headers });
  }

  executionFiles(id: string): Promise<Page<FileRow>> {
    return this._json(`executions/${id}/files`);
  }

  /** The bytes of a file that an execution made. */
  async executionFile(id: string, path: string): Promise<Blob> {
    return (await this._send(`executions/${id}/files/${escapePath(path)}`)).blob();
  }
}
