/**
 * What to do next with an agent that has no task yet: a few quiet lines above an empty canvas.
 */
import { Panel } from '@xyflow/react';

import type { Definition } from '../api/types';
import { needsPrompt } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';

/** Whether nobody has drawn, written or run anything here. */
function isFresh(definition: Definition): boolean {
  const { subagents, hooks, mcps, ui } = definition;
  return needsPrompt(definition) && !subagents.length && !hooks.length && !mcps.length && !ui.notes.length;
}

export function FirstSteps({ definition }: { definition: Definition }): JSX.Element | null {
  const { trans } = useUi();
  const actions = useActions();
  const ran = useProject(state => state.executionId !== null);
  if (ran || !isFresh(definition)) {
    return null;
  }
  return (
    <Panel position="top-center" className="ca-FirstSteps">
      <strong>{trans.__('This agent has no task yet')}</strong>
      <span>
        <button type="button" className="ca-Link" onClick={() => actions.openProperties('agent')}>
          {trans.__('Write its task')}
        </button>
        {trans.__('in the properties, or press Run and say what it shall do this time.')}
      </span>
    </Panel>
  );
}
