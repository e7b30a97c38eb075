/**
 * How many things are wrong with a card; a press leads to the field of the worst.
 */
import { problemsOf } from '../stores/problems';
import { useActions, useProject, useUi } from '../ui/context';

export function ProblemBadge({ id }: { id: string }): JSX.Element | null {
  const { trans } = useUi();
  const actions = useActions();
  // Of a draft only: what is frozen has run.
  const found = useProject(state => (state.frozen ? undefined : problemsOf(state.validation, id)));
  if (!found) {
    return null;
  }
  const label = trans._n('%1 problem: show it', '%1 problems: show the worst', found.count, found.count);
  return (
    <button
      type="button"
      className="ca-Card-problems nodrag nopan"
      data-severity={found.bad ? 'error' : 'warning'}
      title={label}
      aria-label={label}
      onClick={event => {
        event.stopPropagation();
        actions.mendCard(id);
      }}
    >
      {found.count}
    </button>
  );
}
