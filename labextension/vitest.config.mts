import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The logs that the Python fold is held to, too.
  server: { fs: { allow: ['.', '../tests/support/fixtures'] } },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.spec.{ts,tsx}'],
    setupFiles: ['./vitest.setup.ts'],
    css: false,
    // A machine that does other things too must not make a test fail.
    testTimeout: 30_000,
    server: { deps: { inline: [/@jupyterlab\//, /@jupyter\//, /@lumino\//] } }
  }
});
