/**
 * Lab's typesetter, for text that has mathematics in it.
 *
 * Lab lets it search each Markdown text as often as that is drawn: of a reply that streams in, many times a
 * second, and without a formula for nothing.
 */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

/** One of these is in each formula that Lab knows: $…$, \(…\), \begin{…}. */
const FORMULA = /[$\\]/;

export function typesetting(
  typesetter: IRenderMime.ILatexTypesetter | null
): IRenderMime.ILatexTypesetter | undefined {
  return typesetter
    ? {
        typeset: element =>
          FORMULA.test(element.textContent ?? '') ? typesetter.typeset(element) : undefined
      }
    : undefined;
}
