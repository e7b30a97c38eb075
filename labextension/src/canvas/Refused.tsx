/**
 * Why the wire that somebody drew cannot be: said where they look, gone with the next act.
 */
import { Panel } from '@xyflow/react';

import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';
import { refusalLabel } from '../ui/labels';

export function Refused(): JSX.Element | null {
  const { trans } = useUi();
  const actions = useActions();
  const refusal = useProject(state => state.refusal);
  if (!refusal) {
    return null;
  }
  return (
    <Panel position="top-center" className="ca-Refused" role="status">
      <Icon name="info" />
      <span>{refusalLabel(trans, refusal)}</span>
      <button
        type="button"
        className="ca-Button"
        aria-label={trans.__('Close')}
        onClick={() => actions.dismissRefusal()}
      >
        <Icon name="close" />
      </button>
    </Panel>
  );
}
