/**
 * Which built-in tools an agent may call, and whether each call is allowed, asked for or denied.
 */
import type { ToolRow } from '../api/types';
import { toolGlyph } from '../canvas/CardShell';
import { useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

import { Below, FieldScope, useControl } from './fieldScope';
import type { Permission } from './permissions';
import { PermissionSelect } from './permissions';
import { RulesField } from './RulesField';

interface Props {
  /** Dotted path of the agent in the definition. */
  path: string;
  tools: readonly string[];
  permissions: Readonly<Record<string, Permission>>;
  onTools: (tools: string[]) => void;
  onPermissions: (permissions: Record<string, Permission>) => void;
}

function Tools({ path, tools, permissions, onTools, onPermissions }: Props): JSX.Element {
  const { trans } = useUi();
  const known = useProject(state => state.tools);
  const rows: Pick<ToolRow, 'name' | 'touches' | 'default_permission'>[] = [
    ...known,
    ...tools
      .filter(name => !known.some(row => row.name === name))
      .map(name => ({
        name,
        touches: trans.__('not a tool of this server'),
        default_permission: 'ask' as const
      }))
  ];
  const names = new Set(rows.map(row => row.name));
  const label = trans.__('Tools');
  // Under the whole list, since one line has no room for a sentence.
  const found = useControl({ label, name: `${path}.tools` });
  const ruled = useControl({ label, name: `${path}.permissions`, help: '' });
  return (
    <fieldset className="ca-Tools" data-field={found.path}>
      <legend>{label}</legend>
      <ul>
        {rows.map(row => {
          const on = tools.includes(row.name);
          const permission = permissions[row.name] ?? row.default_permission;
          return (
            <li key={row.name} data-on={on || undefined}>
              <label title={row.touches}>
                <input
                  type="checkbox"
                  checked={on}
                  onChange={() =>
                    onTools(on ? tools.filter(name => name !== row.name) : [...tools, row.name])
                  }
                />
                <Icon name={toolGlyph(row.name)} />
                <span className="ca-Tools-name">{row.name}</span>
              </label>
              {on && (
                <PermissionSelect
                  label={trans.__('Permission of %1', row.name)}
                  value={permission}
                  onChange={value => onPermissions({ ...permissions, [row.name]: value })}
                />
              )}
            </li>
          );
        })}
      </ul>
      <Below control={found} />
      <div data-field={ruled.path}>
        <RulesField
          permissions={permissions}
          isShown={rule => names.has(rule)}
          onPermissions={onPermissions}
        />
        <Below control={ruled} />
      </div>
    </fieldset>
  );
}

const PROJECT: string[] = [];

export function ToolsField(props: Props): JSX.Element {
  return (
    <FieldScope path={PROJECT}>
      <Tools {...props} />
    </FieldScope>
  );
}
