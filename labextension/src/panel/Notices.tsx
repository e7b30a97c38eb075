/**
 * What the tab has to say, one strip each: a stale save, a failure with what to do, the first key,
 * a connection that is not well.
 */
import { useId } from 'react';
import type { ReactNode } from 'react';

import { cardName } from '../graph/graph';
import { useActions, useProject, useUi } from '../ui/context';
import { Copy } from '../ui/Copy';
import type { GlyphName } from '../ui/glyphs';
import { Icon } from '../ui/Icon';
import { advice } from '../ui/labels';

import { Trust } from './Trust';

function Strip(props: {
  tone: 'error' | 'warning' | 'info';
  icon: GlyphName;
  children: ReactNode;
  onDismiss?: () => void;
}): JSX.Element {
  const { trans } = useUi();
  return (
    <div className="ca-Strip" data-tone={props.tone} role={props.tone === 'error' ? 'alert' : 'status'}>
      <Icon name={props.icon} />
      <div className="ca-Strip-body">{props.children}</div>
      {props.onDismiss && (
        <button
          type="button"
          className="ca-Button"
          aria-label={trans.__('Dismiss')}
          onClick={props.onDismiss}
        >
          <Icon name="close" />
        </button>
      )}
    </div>
  );
}

/** Problems that the check found, each a way to its card. */
function Problems(): JSX.Element | null {
  const { trans } = useUi();
  const id = useId();
  const actions = useActions();
  const open = useProject(state => state.problemsOpen);
  const validation = useProject(state => state.validation);
  const definition = useProject(state => state.history?.definition ?? null);
  if (!open || !validation) {
    return null;
  }
  const tone = validation.problems.some(each => each.severity === 'error')
    ? 'error'
    : validation.problems.length
      ? 'warning'
      : 'info';
  return (
    <Strip tone={tone} icon={tone === 'info' ? 'check' : 'warning'} onDismiss={() => actions.closeProblems()}>
      {validation.problems.length === 0 ? (
        trans.__('Checked: nothing stands in the way of a run.')
      ) : (
        <ul className="ca-Problems">
          {validation.problems.map((problem, index) => (
            <li key={index} data-severity={problem.severity}>
              <button
                type="button"
                className="ca-Link"
                aria-describedby={`${id}-${index}`}
                onClick={() => actions.mend(problem)}
              >
                {!problem.node
                  ? trans.__('Project')
                  : definition
                    ? cardName(definition, problem.node)
                    : problem.node}
              </button>
              <span id={`${id}-${index}`}>{problem.message}</span>
            </li>
          ))}
        </ul>
      )}
    </Strip>
  );
}

export function Notices(): JSX.Element {
  const { trans, shell } = useUi();
  const actions = useActions();
  const outdated = useProject(state => state.outdated);
  const stale = useProject(state => state.stale);
  const renewed = useProject(state => state.renewed);
  const trouble = useProject(state => state.trouble);
  const firstKey = useProject(state => state.firstKey);
  const lost = useProject(state => state.connection === 'reconnecting');
  const caughtUp = useProject(state => state.runs.caughtUp);
  const note = useProject(state => state.runs.note);
  const what = trouble && advice(trans, trouble.code);
  return (
    <div className="ca-Notices">
      {lost && (
        <Strip tone="warning" icon="refresh">
          {trans.__('Connection lost. Reconnecting; nothing is missed, runs go on.')}
        </Strip>
      )}
      {outdated && (
        <Strip tone="info" icon="info">
          {trans.__('The server runs another version of CloutAgent than this page. Save your work, then')}
          <button type="button" className="ca-Link" onClick={() => shell.reload()}>
            {trans.__('Reload the page')}
          </button>
        </Strip>
      )}
      {caughtUp !== null && !lost && (
        <Strip tone="info" icon="check" onDismiss={() => actions.runs.dismissCaughtUp()}>
          {trans._n(
            'Connected again and caught up: %1 event came meanwhile.',
            'Connected again and caught up: %1 events came meanwhile.',
            caughtUp,
            caughtUp
          )}
        </Strip>
      )}
      {note && (
        <Strip tone="info" icon="check" onDismiss={() => actions.runs.dismissNote()}>
          {note}
        </Strip>
      )}
      <Trust />
      {stale && (
        <Strip tone="warning" icon="warning">
          {trans.__('This project was changed elsewhere since it was opened here. Nothing was overwritten.')}
          <button type="button" className="ca-Link" onClick={() => void actions.lookAtConflict()}>
            {trans.__('Compare and choose')}
          </button>
        </Strip>
      )}
      {renewed && (
        <Strip tone="info" icon="info" onDismiss={() => actions.dismissRenewed()}>
          {trans.__('This project was changed elsewhere. You see its newest state; Undo goes back.')}
        </Strip>
      )}
      {trouble && (
        <Strip tone="error" icon="error" onDismiss={() => actions.dismissTrouble()}>
          {trouble.code === 'OFFLINE' && what ? what : [trouble.message, what].filter(Boolean).join(' ')}
        </Strip>
      )}
      {firstKey && (
        <Strip tone="info" icon="info" onDismiss={() => actions.dismissKey()}>
          <div className="ca-Strip-key">
            <span>{trans.__('Key for programs outside Jupyter, shown only now:')}</span>
            <code>{firstKey}</code>
            <Copy text={firstKey} />
            <button type="button" className="ca-Link" onClick={() => actions.cover('api')}>
              {trans.__('How to use it')}
            </button>
          </div>
        </Strip>
      )}
      <Problems />
    </div>
  );
}
