/**
 * That an old version is shown, which one, and the way back to the draft.
 */
import { isDirty } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

export function FrozenNote(): JSX.Element | null {
  const { trans } = useUi();
  const actions = useActions();
  const frozen = useProject(state => state.frozen);
  const now = useProject(state => state.saved?.version ?? 0);
  const edited = useProject(state => state.draft || isDirty(state));
  if (!frozen) {
    return null;
  }
  const what =
    frozen.executionId === null
      ? trans.__('Version %1, read-only', frozen.version)
      : frozen.version === now
        ? edited
          ? trans.__('As it ran: version %1 without your edits, read-only', frozen.version)
          : trans.__('As it ran: version %1, read-only', frozen.version)
        : trans.__('As it ran: version %1 (now %2), read-only', frozen.version, now);
  return (
    <div className="ca-Frozen" role="status">
      <Icon name="lock" />
      <span>{what}</span>
      <button type="button" className="ca-Link" onClick={() => actions.thaw()}>
        {trans.__('Back to the project')}
      </button>
    </div>
  );
}
