/**
 * A list of texts as lines of one text, and what editing that text makes of the list. Pure.
 *
 * A text of the list may have several lines itself (a script behind `bash -c`): it stays one as long as somebody
 * edits around it, or within it.
 */

/** The lines of `text` that hold something. */
export function linesOf(text: string): string[] {
  return text.split('\n').filter(line => line.trim() !== '');
}

/** The texts that stand for something, as one text. */
export function asLines(value: readonly string[]): string {
  return value.filter(each => each.trim() !== '').join('\n');
}

/** How many of `lines`, empty ones before it counted in, are the text `value`; 0 where they are not. */
function taken(value: string, lines: readonly string[]): number {
  const own = value.split('\n');
  let at = 0;
  while (at < lines.length && lines[at].trim() === '' && lines[at] !== own[0]) {
    at += 1;
  }
  return own.every((line, index) => lines[at + index] === line) ? at + own.length : 0;
}

/** The list that `text` stands for, after an edit of what `before` looked like. */
export function linesEdited(before: readonly string[], text: string): string[] {
  const old = before.filter(each => each.trim() !== '');
  let lines = text.split('\n');
  const head: string[] = [];
  while (head.length < old.length) {
    const count = taken(old[head.length], lines);
    if (!count) {
      break;
    }
    head.push(old[head.length]);
    lines = lines.slice(count);
  }
  const tail: string[] = [];
  const flipped = (value: string) => value.split('\n').reverse().join('\n');
  lines.reverse();
  while (head.length + tail.length < old.length) {
    const last = old[old.length - 1 - tail.length];
    const count = taken(flipped(last), lines);
    if (!count) {
      break;
    }
    tail.unshift(last);
    lines = lines.slice(count);
  }
  lines.reverse();
  const between = old.slice(head.length, old.length - tail.length);
  const within = between.length === 1 && between[0].includes('\n');
  const edited = lines.join('\n');
  const middle = within && edited.trim() !== '' ? [edited] : linesOf(edited);
  return [...head, ...middle, ...tail];
}
