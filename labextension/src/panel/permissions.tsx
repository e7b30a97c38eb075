/**
 * Allow, ask or deny: the choice that tools and rules share.
 */
import { useUi } from '../ui/context';
import type { Translation } from '../ui/labels';

export type Permission = 'allow' | 'ask' | 'deny';
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

export function PermissionSelect(props: {
  label: string;
  value: Permission;
  onChange: (value: Permission) => void;
}): JSX.Element {
  const { trans } = useUi();
  const { label, value, onChange } = props;
  return (
    <select
      className="ca-Permission"
      data-permission={value}
      aria-label={label}
      value={value}
      onChange={event => onChange(event.target.value as Permission)}
    >
      {PERMISSIONS.map(each => (
        <option key={each} value={each}>
          {permissionLabel(trans, each)}
        </option>
      ))}
    </select>
  );
}
