/**
 * Lint rules: TypeScript's, Jupyter's, accessibility, and the direction of imports.
 */
import jupyter from '@jupyter/eslint-plugin';
import prettier from 'eslint-config-prettier';
import a11y from 'eslint-plugin-jsx-a11y';
import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

/** `room` may import none of the `others`; Lab itself only where `lab` says so. */
function room(room, others, lab = false) {
  return {
    files: [`src/${room}/**/*.{ts,tsx}`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            ...others.map(other => ({
              group: [`**/${other}/*`, `../${other}`],
              message: `${room}/ does not import ${other}/: imports point one way.`
            })),
            ...(lab
              ? []
              : [
                  {
                    group: ['@jupyterlab/*', '@lumino/*', '@jupyter/*'],
                    message: 'Lab and Lumino appear only in widgets/ and plugins/.'
                  }
                ])
          ]
        }
      ]
    }
  };
}

export default tseslint.config(
  { ignores: ['lib/', 'node_modules/', '.yarn/', 'src/api/generated.ts', '**/*.mjs', 'vitest.*.ts'] },
  ...tseslint.configs.recommended,
  a11y.flatConfigs.recommended,
  prettier,
  {
    files: ['src/**/*.{ts,tsx}'],
    languageOptions: {
      parserOptions: { project: './tsconfig.eslint.json', tsconfigRootDir: import.meta.dirname }
    },
    plugins: { '@jupyter': jupyter, 'react-hooks': hooks },
    rules: {
      ...hooks.configs.recommended.rules,
      '@jupyter/plugin-activation-args': 'error',
      '@jupyter/command-described-by': 'error',
      '@jupyter/plugin-description': 'error',
      '@jupyter/token-format': 'error',
      '@jupyter/no-translation-concatenation': 'error',
      '@jupyter/no-dynamic-translation': 'error',
      '@jupyter/no-untranslated-string': 'error',
      '@jupyter/no-pageconfig-base-url': 'error',
      '@jupyter/require-signal-cleanup': 'error',
      '@jupyter/require-signal-this-arg': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-namespace': 'off',
      '@typescript-eslint/no-redeclare': 'off',
      'no-console': 'error',
      eqeqeq: 'error',
      curly: 'error'
    }
  },
  room('graph', ['stores', 'canvas', 'panel', 'monitor', 'sidebar', 'widgets', 'plugins']),
  room('stores', ['canvas', 'panel', 'monitor', 'sidebar', 'widgets', 'plugins']),
  room('ui', ['canvas', 'panel', 'monitor', 'sidebar', 'widgets', 'plugins']),
  room('canvas', ['panel', 'versions', 'monitor', 'sidebar', 'widgets', 'plugins']),
  room('monitor', ['panel', 'versions', 'sidebar', 'widgets', 'plugins']),
  room('versions', ['panel', 'monitor', 'sidebar', 'projects', 'widgets', 'plugins']),
  room('projects', ['panel', 'monitor', 'sidebar', 'versions', 'widgets', 'plugins']),
  room('panel', ['sidebar', 'widgets', 'plugins']),
  room('sidebar', ['panel', 'canvas', 'monitor', 'widgets', 'plugins']),
  room('dashboard', ['panel', 'canvas', 'monitor', 'sidebar', 'widgets', 'plugins']),
  room('widgets', ['plugins'], true),
  {
    files: ['src/**/*.spec.{ts,tsx}', 'src/testing/**'],
    rules: { 'no-restricted-imports': 'off', '@jupyter/no-untranslated-string': 'off' }
  }
);
