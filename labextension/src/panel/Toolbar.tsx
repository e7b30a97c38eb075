/**
 * The tab's toolbar: run, what a run may cost, check, save, undo, redo, properties.
 */
import { isActive, isDirty, isQueued, openQuestions, willSimulate } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { money } from '../ui/format';
import type { GlyphName } from '../ui/glyphs';
import { Icon } from '../ui/Icon';
import { stopLabel } from '../ui/labels';
import { StateDot } from '../ui/StateDot';

import { ProjectTools, SaveState } from './ProjectTools';

function ToolButton(props: {
  icon: GlyphName;
  label: string;
  text?: boolean;
  disabled?: boolean;
  pressed?: boolean;
  onClick: () => void;
}): JSX.Element {
  const { icon, label, text, disabled, pressed, onClick } = props;
  return (
    <button
      type="button"
      className="ca-Button"
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
      {text && <span className="ca-Button-text">{label}</span>}
    </button>
  );
}

/** The range of what is expected, as short as it can be said. */
function range(low: number, high: number): string {
  const [from, to] = [money(low), money(high)];
  return from === to ? from : `${from}–${to.replace(/^\$/, '')}`;
}

/** What the next run will probably cost, what it may cost at most, and who plays it. */
function Quote(): JSX.Element | null {
  const { trans } = useUi();
  const estimate = useProject(state => state.validation?.estimate ?? null);
  const cap = useProject(state => state.history?.definition.limits.max_cost_usd ?? null);
  const simulate = useProject(willSimulate);
  const most = cap === null ? trans.__('no money limit') : trans.__('cap %1', money(cap));
  if (simulate) {
    return (
      <span
        className="ca-Quote"
        title={trans.__(
          'No model key is set, or the project asks for it: the simulated model plays. Tools really run.'
        )}
      >
        <span className="ca-Chip" data-tone="info">
          {trans.__('simulated model')}
        </span>
      </span>
    );
  }
  if (estimate?.basis === 'local') {
    return (
      <span
        className="ca-Quote"
        title={trans.__('No price is known for the model at this address: its tokens count as free.')}
      >
        {trans.__('local model, no price')}
      </span>
    );
  }
  const [low, high] = [estimate?.low_usd ?? null, estimate?.high_usd ?? null];
  const never = trans.__('A run never costs more than the cap.');
  const from =
    estimate?.basis === 'history'
      ? trans.__('Median and 90th percentile of the last %1 completed runs.', estimate.executions)
      : trans.__('From the sizes of the prompts: one turn at least, all the turns allowed at most.');
  return (
    <span className="ca-Quote" title={low === null ? never : `${from} ${never}`}>
      {low === null || high === null ? most : trans.__('about %1, %2', range(low, high), most)}
    </span>
  );
}

/** That somebody is waited for, wherever they look. */
function Waiting(): JSX.Element | null {
  const { trans } = useUi();
  const actions = useActions();
  const count = useProject(openQuestions);
  if (!count) {
    return null;
  }
  const label = trans._n('waiting for approval', '%1 waiting for approval', count, count);
  return (
    <button
      type="button"
      className="ca-Button ca-Waiting"
      title={trans.__('Show what waits for you')}
      onClick={() => actions.review()}
    >
      <StateDot state="waiting" />
      {label}
    </button>
  );
}

function CheckButton(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const validation = useProject(state => state.validation);
  const checking = useProject(state => state.checking);
  const open = useProject(state => state.problemsOpen);
  const found = validation?.problems.filter(each => each.severity !== 'info') ?? [];
  const state = checking
    ? 'checking'
    : validation === null
      ? 'unknown'
      : found.some(each => each.severity === 'error')
        ? 'error'
        : found.length
          ? 'warning'
          : 'ok';
  const label =
    state === 'checking'
      ? trans.__('Checking')
      : state === 'unknown'
        ? trans.__('Check')
        : found.length
          ? trans._n('%1 problem', '%1 problems', found.length, found.length)
          : trans.__('Checked');
  return (
    <button
      type="button"
      className="ca-Button ca-Check"
      data-state={state}
      aria-expanded={open}
      title={trans.__('Check the project without running anything')}
      disabled={checking}
      onClick={() => (open ? actions.closeProblems() : void actions.checkAloud())}
    >
      <Icon name={found.length ? 'warning' : 'check'} />
      <span className="ca-Button-text">{label}</span>
    </button>
  );
}

export function Toolbar(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const active = useProject(isActive);
  const queued = useProject(isQueued);
  const starting = useProject(state => state.starting);
  const dirty = useProject(isDirty);
  const saving = useProject(state => state.saving);
  const draft = useProject(state => state.draft);
  const canUndo = useProject(state => (state.history?.past.length ?? 0) > 0);
  const canRedo = useProject(state => (state.history?.future.length ?? 0) > 0);
  const properties = useProject(state => state.propertiesOpen);
  const selected = useProject(state => state.selected);
  return (
    <div className="ca-Toolbar" role="toolbar" aria-label={trans.__('Project')}>
      <button
        type="button"
        className="ca-Run"
        disabled={starting}
        title={trans.__('Run the agent')}
        onClick={() => void actions.run()}
      >
        <Icon name="run" solid />
        {starting ? trans.__('Starting') : trans.__('Run')}
      </button>
      <ToolButton
        icon="stop"
        label={stopLabel(trans, queued)}
        text
        disabled={!active}
        onClick={() => void actions.stop()}
      />
      <ToolButton
        icon="tune"
        label={trans.__('Run with…')}
        disabled={starting}
        onClick={() => actions.runs.ask()}
      />
      <ToolButton
        icon="step"
        label={trans.__('Run step by step: every tool call asks')}
        disabled={starting}
        onClick={() => void actions.run(true)}
      />
      <Quote />
      <Waiting />
      <span className="ca-Toolbar-line" />
      <CheckButton />
      <ToolButton
        icon="save"
        label={saving ? trans.__('Saving') : trans.__('Save')}
        text
        disabled={(!dirty && !draft) || saving}
        onClick={() => void actions.save()}
      />
      <ToolButton icon="undo" label={trans.__('Undo')} disabled={!canUndo} onClick={() => actions.undo()} />
      <ToolButton icon="redo" label={trans.__('Redo')} disabled={!canRedo} onClick={() => actions.redo()} />
      <SaveState />
      <span className="ca-Toolbar-space" />
      <ProjectTools />
      <ToolButton
        icon="properties"
        label={trans.__('Properties')}
        pressed={properties}
        onClick={() => (properties ? actions.closeProperties() : actions.openProperties(selected))}
      />
    </div>
  );
}
