/**
 * Fails when src/api/generated.ts is not what the committed openapi.json gives.
 *
 * Only compares: the one who changed the contract runs `make types` and looks at the difference.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const committed = join(root, 'src/api/generated.ts');
const folder = mkdtempSync(join(tmpdir(), 'cloutagent-types-'));

try {
  const fresh = join(folder, 'generated.ts');
  const made = spawnSync(
    join(root, 'node_modules/.bin/openapi-typescript'),
    ['../cloutagent_ext/server/openapi.json', '-o', fresh],
    { cwd: root, encoding: 'utf8' }
  );
  if (made.status !== 0) {
    throw new Error(`The types cannot be generated: ${made.error ?? made.stderr}`);
  }
  if (!readFileSync(fresh).equals(readFileSync(committed))) {
    console.error(
      'src/api/generated.ts differs from what cloutagent_ext/server/openapi.json gives: ' +
        'run `make types` and commit what it changed.'
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
