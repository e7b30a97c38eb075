/**
 * Times as people say them, in their own language: pure, but for the reader's locale.
 */

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * 86_400],
  ['month', 30 * 86_400],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60]
];

/** `3 hours ago`, `yesterday`; `now` for less than a minute. */
export function ago(time: string, now = Date.now(), locale?: string): string {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1_000);
  const words = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  for (const [unit, length] of UNITS) {
    if (seconds >= length) {
      return words.format(-Math.floor(seconds / length), unit);
    }
  }
  return words.format(0, 'second');
}

/** Day and time of day. */
export function dateAndTime(time: string, locale?: string): string {
  return new Date(time).toLocaleString(locale, { dateStyle: 'medium', timeStyle: 'short' });
}
