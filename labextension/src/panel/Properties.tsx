/**
 * The property panel: the form of the selected card, or of the project when none is selected.
 */
import { useEffect, useRef, useState } from 'react';
import type { ReactNode } from 'react';

import type { Definition } from '../api/types';
import { itemId } from '../graph/graph';
import type { CardKind } from '../graph/graph';
import { isDirty } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import type { GlyphName } from '../ui/glyphs';
import { Icon } from '../ui/Icon';
import { kindLabel } from '../ui/labels';
import { cardLabel } from '../ui/places';

import { AdvancedForm } from './AdvancedForm';
import { AgentForm, LimitsForm } from './AgentForm';
import { NoteForm, ProjectForm } from './forms';
import { HookForm } from './HookForm';
import { McpForm } from './McpForm';
import { KeysSection } from './settings/KeysSection';
import { QueueSection } from './settings/QueueSection';
import { SecretsSection } from './settings/SecretsSection';
import { TrustSection } from './settings/TrustSection';
import { SubagentForm, SubagentTools } from './SubagentForm';
import { ToolsField } from './ToolsField';
import { useWantedField } from './useWantedField';

interface Page {
  id: string;
  label: string;
  view: ReactNode;
}

interface Sheet {
  title: string;
  subtitle: string;
  icon: GlyphName;
  kind: CardKind | 'project';
  pages: Page[];
}

function useSheet(definition: Definition, selected: string | null): Sheet {
  const { trans } = useUi();
  const actions = useActions();
  const kind = (selected?.split(':')[0] ?? 'project') as CardKind | 'project';
  const id = selected ? itemId(selected) : '';
  const at = (list: { id: string }[]) => list.findIndex(each => each.id === id);
  if (kind === 'agent') {
    const { agent } = definition;
    return {
      title: agent.name === 'main' ? definition.name : agent.name,
      subtitle: kindLabel(trans, kind),
      icon: kind,
      kind,
      pages: [
        { id: 'agent', label: trans.__('Agent'), view: <AgentForm definition={definition} /> },
        {
          id: 'tools',
          label: trans.__('Tools'),
          view: (
            <ToolsField
              path="agent"
              tools={agent.tools}
              permissions={agent.permissions}
              onTools={value => actions.edit(['agent', 'tools'], value)}
              onPermissions={value => actions.edit(['agent', 'permissions'], value)}
            />
          )
        },
        { id: 'limits', label: trans.__('Limits'), view: <LimitsForm definition={definition} /> },
        { id: 'advanced', label: trans.__('Advanced'), view: <AdvancedForm definition={definition} /> }
      ]
    };
  }
  if (kind === 'subagent' && at(definition.subagents) >= 0) {
    const index = at(definition.subagents);
    return {
      title: definition.subagents[index].name,
      subtitle: kindLabel(trans, kind),
      icon: kind,
      kind,
      pages: [
        {
          id: 'agent',
          label: trans.__('Subagent'),
          view: <SubagentForm key={`subagent ${index}`} definition={definition} index={index} />
        },
        {
          id: 'tools',
          label: trans.__('Tools'),
          view: <SubagentTools key={`tools ${index}`} definition={definition} index={index} />
        }
      ]
    };
  }
  const lists = { hook: definition.hooks, mcp: definition.mcps, note: definition.ui.notes };
  if ((kind === 'hook' || kind === 'mcp' || kind === 'note') && at(lists[kind]) >= 0) {
    const index = at(lists[kind]);
    const Form = { hook: HookForm, mcp: McpForm, note: NoteForm }[kind];
    const item = lists[kind][index];
    return {
      title: 'name' in item ? item.name : cardLabel(`note:${item.id}`, definition),
      subtitle: kindLabel(trans, kind),
      icon: kind,
      kind,
      pages: [
        {
          id: kind,
          label: kindLabel(trans, kind),
          view: <Form key={`${kind} ${index}`} definition={definition} index={index} />
        }
      ]
    };
  }
  return {
    title: definition.name,
    subtitle: trans.__('project'),
    icon: 'properties',
    kind: 'project',
    pages: [
      { id: 'project', label: trans.__('Project'), view: <ProjectForm definition={definition} /> },
      {
        id: 'limits',
        label: trans.__('Limits'),
        view: (
          <>
            <LimitsForm definition={definition} />
            <QueueSection definition={definition} />
          </>
        )
      },
      { id: 'secrets', label: trans.__('Secrets'), view: <SecretsSection definition={definition} /> },
      { id: 'keys', label: trans.__('Keys'), view: <KeysSection /> },
      { id: 'trust', label: trans.__('Trust'), view: <TrustSection /> }
    ]
  };
}

export function Properties({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const selected = useProject(state => state.selected);
  const dirty = useProject(isDirty);
  const saving = useProject(state => state.saving);
  const frozen = useProject(state => state.frozen !== null);
  const sheet = useSheet(definition, selected);
  const [wanted, setWanted] = useState('agent');
  const form = useRef<HTMLFieldSetElement>(null);
  useEffect(() => void actions.loadFieldDocs(), [actions]);
  useWantedField(form, setWanted);
  const page = sheet.pages.find(each => each.id === wanted) ?? sheet.pages[0];
  return (
    <aside className="ca-Properties" aria-label={trans.__('Properties of %1', sheet.title)}>
      <header className="ca-Properties-head">
        <span className="ca-Card-icon" data-kind={sheet.kind}>
          <Icon name={sheet.icon} />
        </span>
        <span className="ca-Card-title">
          <strong className="ca-Clip">{sheet.title}</strong>
          <span className="ca-Card-subtitle">{sheet.subtitle}</span>
        </span>
        <button
          type="button"
          className="ca-Button"
          aria-label={trans.__('Close properties')}
          onClick={() => actions.closeProperties()}
        >
          <Icon name="close" />
        </button>
      </header>
      {sheet.pages.length > 1 && (
        <div className="ca-Tabs" role="tablist" aria-label={trans.__('Groups of properties')}>
          {sheet.pages.map(each => (
            <button
              key={each.id}
              type="button"
              role="tab"
              aria-selected={each === page}
              onClick={() => setWanted(each.id)}
            >
              {each.label}
            </button>
          ))}
        </div>
      )}
      {/* Lab's shortcuts are quiet inside text fields, but saving and taking back are meant there too. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <fieldset
        ref={form}
        className="ca-Properties-form"
        disabled={frozen}
        onKeyDown={event => {
          const key = event.ctrlKey || event.metaKey ? event.key.toLowerCase() : '';
          if (event.defaultPrevented) {
            return;
          }
          if (key === 's') {
            void actions.save();
          } else if (key === 'y' || (key === 'z' && event.shiftKey)) {
            actions.redo();
          } else if (key === 'z') {
            actions.undo();
          } else {
            return;
          }
          event.preventDefault();
        }}
      >
        {page.view}
      </fieldset>
      {dirty && !frozen && (
        <footer className="ca-Properties-foot">
          <span>{trans.__('Unsaved changes')}</span>
          <button type="button" className="ca-Primary" disabled={saving} onClick={() => void actions.save()}>
            {saving ? trans.__('Saving') : trans.__('Save')}
          </button>
        </footer>
      )}
    </aside>
  );
}
