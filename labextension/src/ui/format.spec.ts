import { describe, expect, it } from 'vitest';

import { duration, elapsed, firstLine, money, plain, shortModel, size, tokens } from './format';

describe('numbers', () => {
  it('show money with enough digits to tell small runs apart', () => {
    expect([0, 0.0004, 0.042, 0.1, 1, null].map(money)).toEqual([
      '$0.00',
      '< $0.001',
      '$0.042',
      '$0.10',
      '$1.00',
      '$ –'
    ]);
  });

  it('show tokens, times and sizes with their unit', () => {
    expect([950, 18_400, 100_000, 1_200_000].map(tokens)).toEqual(['950', '18.4k', '100k', '1.2M']);
    expect([400, 9_960, 21_000, 60_000, 185_000, 7_800_000].map(duration)).toEqual([
      '0.4 s',
      '10 s',
      '21 s',
      '1 min',
      '3 min 5 s',
      '2 h 10 min'
    ]);
    expect(elapsed(4_900)).toBe('4 s');
    expect([812, 14_200, 3_100_000].map(size)).toEqual(['812 B', '14.2 kB', '3.1 MB']);
  });

  it('shorten the model ids that are known, and no others', () => {
    expect(shortModel('claude-opus-5-5')).toBe('opus 5.5');
    expect(shortModel('claude-haiku-4-5-20251001')).toBe('haiku 4.5');
    expect(shortModel('local/llama')).toBe('local/llama');
  });

  it('do not obey terminal sequences', () => {
    expect(plain('\u001b[31mred\u001b[0m \u001b]0;title\u0007ok')).toBe('red ok');
    expect(firstLine('\n\n  a\nb')).toBe('a');
  });
});
