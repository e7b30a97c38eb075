/**
 * Says, where live updates do not come through to the browser, how news comes instead.
 */
import { LOOK_MS } from '../api/pace';
import { useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

export function Pace(): JSX.Element | null {
  const { trans } = useUi();
  const polling = useProject(state => state.connection === 'polling');
  if (!polling) {
    return null;
  }
  const seconds = LOOK_MS / 1_000;
  return (
    <span
      className="ca-Chip"
      role="status"
      title={trans.__(
        'Something between here and the server, such as a proxy, holds live updates back. The server is asked every %1 seconds instead: nothing is missed.',
        seconds
      )}
    >
      <Icon name="refresh" />
      <span className="ca-Chip-long">{trans.__('Updates every %1 s', seconds)}</span>
      <span className="ca-Chip-short">{trans.__('every %1 s', seconds)}</span>
    </span>
  );
}
