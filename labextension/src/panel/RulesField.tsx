/**
 * Permissions beyond a whole tool: patterns such as `bash(git *)`, and groups such as `mcp__time__*`.
 */
import { useId, useState } from 'react';

import { useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

import type { Permission } from './permissions';
import { PermissionSelect } from './permissions';

type Permissions = Readonly<Record<string, Permission>>;
type Row = [rule: string, permission: Permission];

interface Props {
  permissions: Permissions;
  /** Whether a rule is shown beside its tool already. */
  isShown: (rule: string) => boolean;
  onPermissions: (permissions: Record<string, Permission>) => void;
}

export function RulesField({ permissions, isShown, onPermissions }: Props): JSX.Element {
  const { trans } = useUi();
  const id = useId();
  const tools = useProject(state => state.tools);
  const servers = useProject(state => state.history?.definition.mcps);
  const kept = Object.entries(permissions).filter(([rule]) => !isShown(rule));
  const [rows, setRows] = useState<Row[]>(kept);
  const complete = (all: readonly Row[]) => all.filter(([rule]) => rule.trim() !== '');
  // Undo and reload change the rules from outside.
  const now = JSON.stringify(complete(rows)) === JSON.stringify(kept) ? rows : kept;
  const write = (next: Row[]) => {
    setRows(next);
    const others = Object.entries(permissions).filter(([rule]) => isShown(rule));
    onPermissions(Object.fromEntries([...others, ...complete(next)]));
  };
  const change = (at: number, row: Row) => write(now.map((each, index) => (index === at ? row : each)));
  return (
    <fieldset className="ca-Pairs">
      <legend>{trans.__('Rules for some calls')}</legend>
      {now.map(([rule, permission], at) => (
        <div key={at} className="ca-Rule">
          <input
            type="text"
            aria-label={trans.__('Rule')}
            placeholder={trans.__('bash(git *)')}
            list={`${id}-patterns`}
            value={rule}
            spellCheck={false}
            data-lm-suppress-shortcuts="true"
            onChange={event => change(at, [event.target.value, permission])}
          />
          <PermissionSelect
            label={trans.__('Permission of %1', rule || trans.__('the new rule'))}
            value={permission}
            onChange={value => change(at, [rule, value])}
          />
          <button
            type="button"
            className="ca-Button"
            aria-label={trans.__('Remove %1', rule || trans.__('the new rule'))}
            onClick={() => write(now.filter((_, index) => index !== at))}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
      <datalist id={`${id}-patterns`}>
        {tools.map(tool => (
          <option key={tool.name} value={`${tool.name}(*)`} />
        ))}
        {servers?.map(server => (
          <option key={server.id} value={`mcp__${server.id}__*`} />
        ))}
      </datalist>
      <button type="button" className="ca-Link" onClick={() => setRows([...now, ['', 'ask']])}>
        {trans.__('+ Add a rule')}
      </button>
      <p className="ca-Field-help">
        {trans.__(
          'A tool with a pattern in brackets, or a group with a star. Deny beats ask beats allow; of rules that say the same, the more specific one decides.'
        )}
      </p>
    </fieldset>
  );
}
