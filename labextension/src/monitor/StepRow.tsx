/**
 * One row of the tree, by kind of step. Memoised: only rows whose step changed are drawn again.
 */
import { memo } from 'react';
import type { ReactNode } from 'react';

import { toolGlyph } from '../canvas/CardShell';
import type { AgentStep, Monitor, Step, StepState, ToolStep } from '../stores/monitor';
import { serverOf } from '../stores/moments';
import type { Row } from '../stores/rows';
import { toolTitle } from '../stores/select';
import { useActions, useProject, useProjectAtLeisure, useUi } from '../ui/context';
import { duration, elapsed, firstLine, money, tokens } from '../ui/format';
import type { GlyphName } from '../ui/glyphs';
import { useNow, useThrottled } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import type { Translation } from '../ui/labels';

import { Approval, Decided } from './Approval';
import { Output, Picture, picturesOf } from './Output';
import { StepTools } from './StepTools';
import { inputLine, inputText, outputLine } from './summary';

/** How long a step took, or takes so far. */
function Time({ step }: { step: Step }): JSX.Element {
  const going = step.endedAt === null;
  const skew = useProject(state => (going ? state.skewMs : 0));
  const now = useNow(going, 'rows') - skew;
  const exact = step.kind === 'tool' ? step.durationMs : null;
  const text = going
    ? elapsed(now - step.startedAt)
    : duration(exact ?? (step.endedAt ?? step.startedAt) - step.startedAt);
  return <span className={going ? 'ca-Row-time ca-mod-going' : 'ca-Row-time'}>{text}</span>;
}

/** How long a server keeps the call waiting. */
function Waiting({ step, server }: { step: ToolStep; server: string }): JSX.Element {
  const { trans } = useUi();
  const skew = useProject(state => state.skewMs);
  const now = useNow(true, 'rows') - skew;
  return (
    <span className="ca-Row-time ca-mod-going">
      {trans.__('waiting %1 for MCP server %2', elapsed(now - step.startedAt), server)}
    </span>
  );
}

function stateWords(trans: Translation, state: StepState): string {
  switch (state) {
    case 'running':
      return trans.__('running');
    case 'done':
      return trans.__('done');
    case 'failed':
      return trans.__('failed');
    case 'stopped':
      return trans.__('stopped');
  }
}

/** Tokens and money of an agent, those of the whole run for the main one. */
function Price({ agent, depth }: { agent: AgentStep; depth: number }): JSX.Element {
  const { trans } = useUi();
  const whole = useProjectAtLeisure('rows', state => (depth === 0 ? state.monitor : null));
  const used = whole ? whole.tokens : agent.tokens;
  const cost = whole ? whole.totalCostUsd : agent.costUsd;
  return <span className="ca-Row-price">{[trans.__('%1 tok', tokens(used)), money(cost)].join(' · ')}</span>;
}

interface LineProps {
  row: Row;
  icon?: GlyphName;
  title: ReactNode;
  detail?: ReactNode;
  aside: ReactNode;
}

function Line({ row, icon, title, detail, aside }: LineProps): JSX.Element {
  const { trans } = useUi();
  const { step, expandable, open } = row;
  return (
    <div className="ca-Row-line">
      <span className="ca-Row-fold">{expandable && <Icon name={open ? 'down' : 'right'} />}</span>
      {icon && (
        <span className="ca-Row-icon">
          <Icon name={icon} />
        </span>
      )}
      <span className="ca-Row-title">{title}</span>
      {detail && <span className="ca-Row-detail">{detail}</span>}
      <span className="ca-Row-aside">
        {step.kind !== 'turn' && (step.state === 'failed' || step.state === 'stopped') && (
          <span className="ca-Badge" data-state={step.state}>
            {stateWords(trans, step.state)}
          </span>
        )}
        {aside}
      </span>
    </div>
  );
}

function AgentRow({ row, agent }: { row: Row; agent: AgentStep }): JSX.Element {
  const projectName = useProject(state => state.saved?.name);
  const isMain = agent.label === 'main';
  const instance = /#([2-9]|\d\d+)$/.exec(agent.label)?.[1];
  const name = isMain && agent.name === 'main' ? (projectName ?? agent.name) : agent.name;
  return (
    <Line
      row={row}
      title={
        <strong data-kind={isMain ? 'agent' : 'subagent'}>{instance ? `${name} ${instance}` : name}</strong>
      }
      detail={isMain ? undefined : firstLine(agent.prompt)}
      aside={
        <>
          {!isMain && <Time step={row.step} />}
          <Price agent={agent} depth={row.depth} />
        </>
      }
    />
  );
}

function ToolRow({ row, step }: { row: Row; step: ToolStep }): JSX.Element {
  const { trans } = useUi();
  const title = useProject(state => toolTitle(state.history?.definition ?? null, step.tool));
  const said = outputLine(step.output);
  const pictures = picturesOf(step.output);
  const asks = step.state === 'running' ? step.question : null;
  const server = useProject(state => {
    const id = serverOf(step);
    return id && (state.history?.definition.mcps.find(each => each.id === id)?.name ?? id);
  });
  // What was allowed with changes is what ran.
  const input = step.verdict?.input ?? step.input;
  return (
    <>
      <Line
        row={row}
        icon={toolGlyph(step.tool)}
        title={title}
        detail={<code>{inputLine(input)}</code>}
        aside={
          <>
            {asks && (
              <span className="ca-Badge" data-state="waiting">
                {trans.__('waits for you')}
              </span>
            )}
            {step.verdict && <Decided verdict={step.verdict} />}
            {server && step.endedAt === null && !asks ? (
              <Waiting step={step} server={server} />
            ) : (
              <Time step={step} />
            )}
          </>
        }
      />
      {asks ? (
        <div className="ca-Row-inside">
          <Approval step={step} question={asks} />
        </div>
      ) : row.open ? (
        <div className="ca-Row-inside">
          <pre className="ca-Row-input">{inputText(input)}</pre>
          {step.output.length > 0 && <Output output={step.output} />}
        </div>
      ) : (
        <>
          {said && (
            <div className="ca-Row-said" data-state={step.state}>
              {said}
            </div>
          )}
          {pictures.map(part => (
            <div key={part.path} className="ca-Row-inside">
              <Picture path={part.path} alt={part.alt} />
            </div>
          ))}
        </>
      )}
    </>
  );
}

function Prose({ row, step }: { row: Row; step: Extract<Step, { kind: 'text' | 'thinking' }> }): JSX.Element {
  const { trans, RenderOutput } = useUi();
  const actions = useActions();
  const executionId = useProject(state => state.executionId);
  const content = useThrottled(step.content, step.state === 'running');
  if (step.kind === 'thinking') {
    return (
      <>
        <Line
          row={row}
          icon="thinking"
          title={trans.__('Thinking')}
          detail={
            row.open ? undefined : step.state === 'running' ? lastLine(step.content) : firstLine(step.content)
          }
          aside={<Time step={step} />}
        />
        {row.open && <div className="ca-Row-inside ca-Row-thought">{step.content}</div>}
      </>
    );
  }
  return (
    <div className="ca-Row-prose">
      <RenderOutput
        data={{ 'text/markdown': content }}
        executionId={executionId}
        onFile={path => actions.showTab('files', path)}
      />
    </div>
  );
}

/** While thinking goes on, its newest line is the interesting one. */
function lastLine(text: string): string {
  return firstLine(text.trimEnd().split('\n').reverse().join('\n'));
}

function Contents({ row }: { row: Row }): JSX.Element {
  const { trans } = useUi();
  const { step, delegate } = row;
  if (delegate) {
    return <AgentRow row={row} agent={delegate} />;
  }
  switch (step.kind) {
    case 'agent':
      return <AgentRow row={row} agent={step} />;
    case 'turn': {
      const facts =
        step.tokens === null ? [] : [trans.__('%1 tok', tokens(step.tokens)), money(step.costUsd)];
      return (
        <Line row={row} title={trans.__('Turn %1', step.number)} aside={<span>{facts.join(' · ')}</span>} />
      );
    }
    case 'thinking':
    case 'text':
      return <Prose row={row} step={step} />;
    case 'tool':
      return <ToolRow row={row} step={step} />;
    case 'hook':
      return (
        <Line
          row={row}
          icon="hook"
          title={step.hook}
          detail={[step.outcome, step.message].filter(Boolean).join(' · ')}
          aside={<Time step={step} />}
        />
      );
    case 'warning':
      return <Line row={row} icon="warning" title={step.message} aside={null} />;
  }
}

/** Whether two rows look the same. */
export function sameRow(a: Row, b: Row): boolean {
  return (
    a.step === b.step &&
    a.delegate === b.delegate &&
    a.open === b.open &&
    a.expandable === b.expandable &&
    a.depth === b.depth
  );
}

interface StepRowProps {
  row: Row;
  index: number;
  /** Whether keys go to it, and whether it is marked, here and in the timeline. */
  focused: boolean;
  marked: boolean;
}

export const StepRow = memo(
  function StepRow({ row, index, focused, marked }: StepRowProps) {
    const actions = useActions();
    const { step, depth, expandable, open } = row;
    return (
      // The tree handles the keys of all its rows.
      // eslint-disable-next-line jsx-a11y/click-events-have-key-events
      <div
        className="ca-Row"
        role="treeitem"
        aria-level={depth + 1}
        aria-expanded={expandable ? open : undefined}
        aria-selected={marked}
        tabIndex={focused ? 0 : -1}
        data-index={index}
        data-kind={step.kind}
        data-state={step.state}
        style={{ '--ca-depth': depth } as React.CSSProperties}
        onClick={event => {
          const target = event.target as HTMLElement;
          if (target.closest('button')) {
            return;
          }
          actions.runs.select(step.id);
          if (expandable && target.closest('.ca-Row-line')) {
            actions.toggleStep(step.id);
          }
        }}
      >
        <Contents row={row} />
        {marked && <StepTools step={step} />}
      </div>
    );
  },
  (a, b) => sameRow(a.row, b.row) && a.index === b.index && a.focused === b.focused && a.marked === b.marked
);

/** The way it ended: the result as text, or what went wrong. */
export function hasOutcome(monitor: Monitor): boolean {
  return monitor.result !== null || monitor.error !== null;
}
