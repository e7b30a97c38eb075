/**
 * What the check found, by card and by field: worked out once for each answer, not by each card.
 */
import type { Problem, Validation } from '../api/types';

export interface CardProblems {
  count: number;
  /** Whether one of them stands in the way of a run. */
  bad: boolean;
}

const known = new WeakMap<Validation, Map<string, CardProblems>>();

/** Problems of `card` that ask for something to be done; undefined where there are none. */
export function problemsOf(validation: Validation | null, card: string): CardProblems | undefined {
  if (!validation) {
    return undefined;
  }
  let all = known.get(validation);
  if (!all) {
    all = new Map();
    for (const { node, severity } of validation.problems) {
      if (node && severity !== 'info') {
        const before = all.get(node);
        all.set(node, {
          count: (before?.count ?? 0) + 1,
          bad: (before?.bad ?? false) || severity === 'error'
        });
      }
    }
    known.set(validation, all);
  }
  return all.get(card);
}

/** What was found about the field at `path` or inside it. */
export function problemsAt(validation: Validation | null, path: string): Problem[] {
  return (
    validation?.problems.filter(each => each.path === path || each.path?.startsWith(`${path}.`) === true) ??
    []
  );
}
