/**
 * The requests around a project's definition: keys, secrets, versions, archives and backups.
 *
 * Only for Jupyter users; a key may ask none of them.
 */
import { JSON_HEADERS, Requests, query } from './requests';
import type { Download, Tagged } from './requests';
import type {
  BackupRow,
  CreatedKey,
  CreatedProject,
  ImportedProject,
  KeyRow,
  Page,
  Restored,
  Scope,
  SecretRow,
  Version,
  VersionDiff,
  VersionRow
} from './types';

export type ArchiveFormat = 'zip' | 'tar.gz' | 'claude' | 'python';

/** Versions that are listed at once. */
const VERSIONS = 200;

/** Media type of an archive by its name; the server looks at the bytes anyway. */
function mediaType(name: string): string {
  return /\.(tgz|tar\.gz)$/i.test(name) ? 'application/gzip' : 'application/zip';
}

export class Admin extends Requests {
  // --- keys ---------------------------------------------------------------

  keys(project: string): Promise<Page<KeyRow>> {
    return this._json(`projects/${project}/keys`);
  }

  /** A new key; its text is in this answer and nowhere else. */
  createKey(project: string, name: string, scopes: readonly Scope[]): Promise<CreatedKey> {
    return this._json(`projects/${project}/keys`, this._body('POST', { name, scopes }));
  }

  async revokeKey(project: string, key: string): Promise<void> {
    await this._send(`projects/${project}/keys/${key}`, { method: 'DELETE' });
  }

  // --- secrets ------------------------------------------------------------

  secrets(project: string): Promise<Page<SecretRow>> {
    return this._json(`projects/${project}/secrets`);
  }

  /** Keep a secret; one of the same name is replaced. */
  setSecret(project: string, name: string, value: string): Promise<SecretRow> {
    return this._json(`projects/${project}/secrets`, this._body('POST', { name, value }));
  }

  async deleteSecret(project: string, name: string): Promise<void> {
    await this._send(`projects/${project}/secrets/${name}`, { method: 'DELETE' });
  }

  // --- versions -----------------------------------------------------------

  /** The newest versions, newest first. */
  versions(project: string, cursor?: string): Promise<Page<VersionRow>> {
    return this._json(`projects/${project}/versions${query({ limit: VERSIONS, cursor })}`);
  }

  version(project: string, version: number): Promise<Version> {
    return this._json(`projects/${project}/versions/${version}`);
  }

  /** Make a version of what is saved, now. */
  makeVersion(project: string, label: string | null): Promise<VersionRow> {
    return this._json(`projects/${project}/versions`, this._body('POST', { label }));
  }

  /** Make the project what `version` was; a stale `etag` fails with PRECONDITION_FAILED. */
  restoreVersion(project: string, version: number, etag: string | null): Promise<Tagged> {
    const init = this._body('POST', {});
    if (etag) {
      init.headers = { ...JSON_HEADERS, 'If-Match': etag };
    }
    return this._tagged(`projects/${project}/versions/${version}/restore`, init);
  }

  publish(project: string, version: number): Promise<Tagged> {
    return this._tagged(`projects/${project}/versions/${version}/publish`, this._body('POST', {}));
  }

  unpublish(project: string, version: number): Promise<Tagged> {
    return this._tagged(`projects/${project}/versions/${version}/publish`, { method: 'DELETE' });
  }

  /** What differs between two versions, files included. */
  diff(project: string, before: number, after: number): Promise<VersionDiff> {
    return this._json(`projects/${project}/versions/${before}/diff/${after}`);
  }

  // --- archives -----------------------------------------------------------

  /** A new project from an archive: ours, or a Claude Code project. */
  importProject(file: File): Promise<ImportedProject> {
    const headers = { 'Content-Type': mediaType(file.name) };
    return this._json('projects/import', { method: 'POST', body: file, headers });
  }

  duplicateProject(project: string): Promise<CreatedProject> {
    return this._json(`projects/${project}/duplicate`, this._body('POST', {}));
  }

  exportProject(project: string, format: ArchiveFormat, executions = false): Promise<Download> {
    const parameters = query({ format, ...(executions ? { executions } : {}) });
    return this._download(`projects/${project}/export${parameters}`, `project.${format}`);
  }

  // --- backups ------------------------------------------------------------

  backups(): Promise<Page<BackupRow>> {
    return this._json('backups');
  }

  makeBackup(): Promise<BackupRow> {
    return this._json('backups', this._body('POST', {}));
  }

  backup(name: string): Promise<Download> {
    return this._download(`backups/${name}`, name);
  }

  /** Put projects back as they were; `project` alone, or all that the backup holds. */
  restoreBackup(name: string, project: string | null): Promise<Restored> {
    return this._json(`backups/${name}/restore`, this._body('POST', project ? { project } : {}));
  }
}
