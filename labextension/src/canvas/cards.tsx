/**
 * One component for each kind of card, memoised: a card is drawn again only when its own item changes.
 */
import type { Node, NodeProps } from '@xyflow/react';
import { memo } from 'react';

import type { Agent, Hook, McpServer, Note, Subagent } from '../api/types';
import { cardName } from '../graph/graph';
import { shownDefinition } from '../stores/select';
import { useProject, useUi } from '../ui/context';
import { shortModel } from '../ui/format';

import { CardShell } from './CardShell';
import { actionFact, limitsFact, names, serverFact, variablesFact } from './facts';

type CardNode<Item> = Node<{ item: Item }>;

export const AgentCard = memo(function AgentCard({ id, data, selected }: NodeProps<CardNode<Agent>>) {
  const { trans } = useUi();
  const definition = useProject(shownDefinition);
  const { item } = data;
  const facts: [string, string][] = [[trans.__('Tools'), names(trans, item.tools)]];
  if (definition) {
    facts.push([trans.__('Limits'), limitsFact(trans, definition.limits)]);
    facts.push([trans.__('Variables'), variablesFact(trans, definition)]);
  }
  const name = definition ? cardName(definition, 'agent') : item.name;
  const subtitle = trans.__('agent · %1', shortModel(item.model));
  return <CardShell id={id} kind="agent" name={name} subtitle={subtitle} selected={selected} facts={facts} />;
});

export const SubagentCard = memo(function SubagentCard({
  id,
  data,
  selected
}: NodeProps<CardNode<Subagent>>) {
  const { trans } = useUi();
  const { item } = data;
  const model = item.model ? shortModel(item.model) : null;
  const many = item.parallel ? trans.__('up to %1', item.max_parallel_instances) : trans.__('one at a time');
  const subtitle = [trans.__('subagent'), model ?? many].join(' · ');
  return (
    <CardShell
      id={id}
      kind="subagent"
      name={item.name}
      subtitle={subtitle}
      selected={selected}
      enabled={item.enabled}
      facts={[[trans.__('Tools'), names(trans, item.tools)]]}
    />
  );
});

export const HookCard = memo(function HookCard({ id, data, selected }: NodeProps<CardNode<Hook>>) {
  const { trans } = useUi();
  const { item } = data;
  const subtitle = [item.event, item.matcher || trans.__('all tools')].join(' · ');
  return (
    <CardShell
      id={id}
      kind="hook"
      name={item.name}
      subtitle={subtitle}
      selected={selected}
      enabled={item.enabled}
    >
      <div className="ca-Card-line" title={actionFact(item)}>
        {actionFact(item).trim() || trans.__('does nothing yet')}
      </div>
    </CardShell>
  );
});

export const McpCard = memo(function McpCard({ id, data, selected }: NodeProps<CardNode<McpServer>>) {
  const { trans } = useUi();
  const { item } = data;
  const count = item.enabled_tools?.length;
  const tools = count === undefined ? trans.__('all tools') : trans._n('%1 tool', '%1 tools', count, count);
  const subtitle = ['MCP', item.transport, tools].join(' · ');
  return (
    <CardShell
      id={id}
      kind="mcp"
      name={item.name}
      subtitle={subtitle}
      selected={selected}
      enabled={item.enabled}
    >
      <div className="ca-Card-line" title={serverFact(item)}>
        {serverFact(item) || trans.__('no program and no address yet')}
      </div>
    </CardShell>
  );
});

export const NoteCard = memo(function NoteCard({ data, selected }: NodeProps<CardNode<Note>>) {
  const { item } = data;
  const [title, ...rest] = item.text.split('\n');
  return (
    <div
      className="ca-Note"
      data-selected={selected || undefined}
      style={{ width: item.width, minHeight: item.height }}
    >
      <strong>{title.replace(/^#+\s*/, '')}</strong>
      {rest.length > 0 && <div>{rest.join('\n').trim()}</div>}
    </div>
  );
});

/** Kept outside every component, so that React Flow sees the same object each time. */
export const CARD_TYPES = {
  agent: AgentCard,
  subagent: SubagentCard,
  hook: HookCard,
  mcp: McpCard,
  note: NoteCard
};
