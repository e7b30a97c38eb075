import { expect, it } from 'vitest';

import { ago } from './dates';

it('says how long ago something was, in the largest unit that fits', () => {
  const now = Date.parse('2026-11-25T12:00:00.000Z');
  const said = (time: string) => ago(time, now, 'en');
  expect(said('2026-11-25T11:59:40.000Z')).toBe('now');
  expect(said('2026-11-25T12:00:30.000Z')).toBe('now'); // the server's clock may be ahead
  expect(said('2026-11-25T11:58:00.000Z')).toBe('2 minutes ago');
  expect(said('2026-11-24T11:00:00.000Z')).toBe('yesterday');
  expect(said('2026-09-01T00:00:00.000Z')).toBe('2 months ago');
});
