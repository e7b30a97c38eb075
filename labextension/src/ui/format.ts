/**
 * Numbers as people read them, always with their unit: pure.
 */

export { money } from './money';

/** Tokens: `950`, `18.4k`, `1.2M`. */
export function tokens(count: number): string {
  if (count < 1_000) {
    return String(count);
  }
  const [value, unit] = count < 1_000_000 ? [count / 1_000, 'k'] : [count / 1_000_000, 'M'];
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, '')}${unit}`;
}

/** Milliseconds as time: `0.4 s`, `21 s`, `3 min 5 s`, `2 h 10 min`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 9.95) {
    return `${seconds.toFixed(1)} s`;
  }
  if (seconds < 59.5) {
    return `${Math.round(seconds)} s`;
  }
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) {
    const rest = Math.round(seconds) % 60;
    return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
  }
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${Math.floor(minutes / 60)} h`;
}

/** Time that still runs: whole seconds, so that it does not flicker. */
export function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  return seconds < 10 ? `${seconds} s` : duration(seconds * 1_000);
}

/** Bytes: `812 B`, `14.2 kB`, `3.1 MB`, `21 GB`. */
export function size(bytes: number): string {
  if (bytes < 1_000) {
    return `${bytes} B`;
  }
  if (bytes < 1_000_000) {
    return `${(bytes / 1_000).toFixed(1)} kB`;
  }
  return bytes < 1_000_000_000
    ? `${(bytes / 1_000_000).toFixed(1)} MB`
    : `${(bytes / 1_000_000_000).toFixed(bytes < 10_000_000_000 ? 1 : 0)} GB`;
}

/** A model id without what every id has: `claude-opus-5-5` → `opus 5.5`. */
export function shortModel(id: string): string {
  const found = /^claude-([a-z]+)-(\d+)(?:-(\d+))?(?:-\d{6,})?$/.exec(id);
  return found ? `${found[1]} ${found[2]}${found[3] ? `.${found[3]}` : ''}` : id;
}

/** The first line that says something. */
export function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .find(line => line.trim())
      ?.trim() ?? ''
  );
}

/** `text` without terminal control sequences. */
export function plain(text: string): string {
  return text.replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-_])/g, '');
}

/** A moment as a reader places it: the time alone today, with its date before. */
export function moment(iso: string, now = new Date()): string {
  const at = new Date(iso);
  const today = at.toDateString() === now.toDateString();
  const time: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' };
  const words = today ? time : { ...time, day: 'numeric' as const, month: 'short' as const };
  return new Intl.DateTimeFormat(undefined, words).format(at);
}
