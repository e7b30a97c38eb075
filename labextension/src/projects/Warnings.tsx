/**
 * What an import left out, or has to be looked at.
 */
import '../../style/theme.css';
import '../../style/shared.css';
import '../../style/projects.css';
import '../../style/forced.css';

import { Icon } from '../ui/Icon';

export function Warnings({ warnings }: { warnings: readonly string[] }): JSX.Element {
  return (
    <ul className="ca-Warnings">
      {warnings.map(warning => (
        <li key={warning}>
          <Icon name="warning" />
          <span>{warning}</span>
        </li>
      ))}
    </ul>
  );
}
