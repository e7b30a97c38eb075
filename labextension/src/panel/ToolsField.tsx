/**
 * Which built-in tools an agent may call, and whether each call is allowed, asked for or denied.
 */
import type { ToolRow } from '../api/types';
import { toolGlyph } from '../canvas/CardShell';
import { useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';
import type { Translation } from '../ui/labels';

type Permission = 'allow' | 'ask' | 'deny';
const PERMISSIONS: Permission[] = ['allow', 'ask', 'deny'];

function permissionLabel(trans: Translation, permission: Permission): string {
  switch (permission) {
    case 'allow':
      return trans.__('allow');
    case 'ask':
      return trans.__('ask');
    case 'deny':
      return trans.__('deny');
  }
}

interface Props {
  tools: readonly string[];
  permissions: Readonly<Record<string, Permission>>;
  onTools: (tools: string[]) => void;
  onPermissions: (permissions: Record<string, Permission>) => void;
}

export function ToolsField({ tools, permissions, onTools, onPermissions }: Props): JSX.Element {
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
  const patterns = Object.keys(permissions).filter(key => key.includes('(')).length;
  return (
    <fieldset className="ca-Tools">
      <legend>{trans.__('Tools')}</legend>
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
                <select
                  className="ca-Permission"
                  data-permission={permission}
                  aria-label={trans.__('Permission of %1', row.name)}
                  value={permission}
                  onChange={event =>
                    onPermissions({ ...permissions, [row.name]: event.target.value as Permission })
                  }
                >
                  {PERMISSIONS.map(each => (
                    <option key={each} value={each}>
                      {permissionLabel(trans, each)}
                    </option>
                  ))}
                </select>
              )}
            </li>
          );
        })}
      </ul>
      {patterns > 0 && (
        <p className="ca-Field-help">
          {trans._n(
            '%1 rule with a pattern also applies.',
            '%1 rules with patterns also apply.',
            patterns,
            patterns
          )}
        </p>
      )}
    </fieldset>
  );
}
