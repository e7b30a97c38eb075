/**
 * What all cards share: shape, colour of their kind, state, handles, how many run at once, and the line that
 * says what the card does while it runs and what it cost afterwards.
 */
import { Handle, Position } from '@xyflow/react';
import type { ReactNode } from 'react';

import { useProject, useProjectAtLeisure, useUi } from '../ui/context';
import { duration, elapsed, money, tokens } from '../ui/format';
import { useNow } from '../ui/hooks';
import type { GlyphName } from '../ui/glyphs';
import { Icon } from '../ui/Icon';
import { cardStateLabel } from '../ui/labels';
import type { CardKind } from '../graph/graph';
import type { CardRun } from '../stores/monitor';
import { cardRun, shownDefinition, toolTitle } from '../stores/select';

import { ProblemBadge } from './ProblemBadge';

export interface ShellProps {
  id: string;
  kind: Exclude<CardKind, 'note'>;
  name: string;
  subtitle: string;
  selected: boolean;
  enabled?: boolean;
  /** Facts, already worded: label and value. */
  facts?: [string, string][];
}

/** What the card did in the execution that is shown, undefined when nothing. */
export function useRun(id: string): CardRun | undefined {
  return useProjectAtLeisure('canvas', state => cardRun(state, id));
}

/** What the card does or did, in a word. */
export function StateBadge({
  id,
  run,
  enabled
}: {
  id: string;
  run?: CardRun;
  enabled: boolean;
}): JSX.Element | null {
  const { trans } = useUi();
  const active = useProject(state => state.monitor !== null && state.monitor.endedAt === null);
  if (!enabled) {
    return <span className="ca-Badge">{trans.__('off')}</span>;
  }
  if (!run) {
    return active && id.startsWith('subagent:') ? (
      <span className="ca-Badge">{trans.__('waits')}</span>
    ) : null;
  }
  const words =
    run.state === 'running' && run.turn ? trans.__('turn %1', run.turn) : cardStateLabel(trans, run.state);
  return (
    <span className="ca-Badge" data-state={run.state}>
      {run.state === 'done' && <Icon name="check" />}
      {run.state === 'failed' && <Icon name="error" />}
      {run.state === 'running' && <span className="ca-Dot" data-state="running" aria-hidden="true" />}
      {words}
    </span>
  );
}

/** Tools that have an icon of their own. */
export function toolGlyph(tool: string): GlyphName {
  if (tool.startsWith('agent__')) {
    return 'subagent';
  }
  if (tool.startsWith('mcp__')) {
    return 'mcp';
  }
  switch (tool) {
    case 'bash':
      return 'terminal';
    case 'python':
      return 'code';
    case 'view':
    case 'file_create':
    case 'str_replace':
      return 'file';
    case 'glob':
    case 'grep':
      return 'find';
    default:
      return 'tool';
  }
}

function RunLine({ id, run }: { id: string; run: CardRun }): JSX.Element {
  const { trans } = useUi();
  const skew = useProject(state => state.skewMs);
  const total = useProjectAtLeisure('canvas', state => (id === 'agent' ? state.monitor : null));
  const going = run.endedAt === null;
  const now = useNow(going, 'canvas') - skew;
  const used = total ? total.tokens : run.tokens;
  const cost = total ? total.totalCostUsd : run.costUsd;
  const many = run.instances > 1 ? ` · ×${run.instances}` : '';
  const title = useProject(state => run.tool && toolTitle(shownDefinition(state), run.tool));
  // Its work is done, its kernel and processes are still being ended.
  const finishing = useProject(
    state => id === 'agent' && state.monitor?.steps.get('main')?.state === 'done' && going
  );
  const doing = title ?? (finishing ? trans.__('finishes') : trans.__('thinks'));
  const begun = total?.startedAt ?? run.startedAt;
  const since = run.toolSince ?? begun;
  const took = total?.durationMs ?? (run.endedAt ?? begun) - begun;
  return (
    <div className="ca-Card-run">
      {going ? (
        <span className="ca-Card-doing">
          <Icon name={run.tool ? toolGlyph(run.tool) : finishing ? 'check' : 'thinking'} />
          <span className="ca-Clip">{`${doing} · ${elapsed(now - since)}${many}`}</span>
        </span>
      ) : (
        <span className="ca-Card-doing" data-state={run.state}>
          <span className="ca-Clip">{`${duration(took)}${many}`}</span>
        </span>
      )}
      <span className="ca-Card-tokens">{trans.__('%1 tok', tokens(used))}</span>
      <strong>{money(cost)}</strong>
    </div>
  );
}

/** How much of its tightest limit the execution has used, drawn along the agent's lower edge. */
function Progress(): JSX.Element | null {
  const most = useProjectAtLeisure('canvas', state => {
    const percent = state.monitor && state.monitor.endedAt === null ? state.monitor.percent : null;
    return percent ? Math.max(percent.cost ?? 0, percent.tokens ?? 0, percent.time ?? 0) : null;
  });
  return most === null ? null : (
    <span className="ca-Card-progress">
      <span style={{ width: `${Math.min(100, Math.max(2, most))}%` }} />
    </span>
  );
}

export function CardShell(props: ShellProps & { children?: ReactNode }): JSX.Element {
  const { id, kind, name, subtitle, selected, enabled = true, facts = [], children } = props;
  const { trans } = useUi();
  const run = useRun(id);
  const usesTokens = kind === 'agent' || kind === 'subagent';
  return (
    <div
      className="ca-Card"
      data-kind={kind}
      data-state={run?.state ?? 'idle'}
      data-off={!enabled || undefined}
      data-selected={selected || undefined}
      data-stack={(run?.active ?? 0) > 1 || undefined}
    >
      <Handle type="source" position={Position.Left} id="left" />
      <div className="ca-Card-face">
        <div className="ca-Card-head">
          <span className="ca-Card-icon">
            <Icon name={kind} />
          </span>
          <span className="ca-Card-title">
            <strong className="ca-Clip" title={name}>
              {name}
            </strong>
            <span className="ca-Card-subtitle">{subtitle}</span>
          </span>
          <StateBadge id={id} run={run} enabled={enabled} />
        </div>
        {facts.length > 0 && (
          <dl className="ca-Card-facts">
            {facts.map(([label, value]) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd title={value}>{value}</dd>
              </div>
            ))}
          </dl>
        )}
        {children}
        {run && usesTokens && <RunLine id={id} run={run} />}
        {kind === 'agent' && <Progress />}
      </div>
      {run && run.active > 1 && (
        <span className="ca-Card-count" title={trans.__('%1 run at once', run.active)}>
          {trans.__('×%1', run.active)}
        </span>
      )}
      <ProblemBadge id={id} />
      <Handle type="source" position={Position.Right} id="right" />
    </div>
  );
}
