/**
 * Find a card, and canvas or outline: in both views.
 */
import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

export function ViewButtons(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const searching = useProject(state => state.searching);
  const outline = useProject(state => state.outline);
  const find = trans.__('Find a card (Ctrl+F or /)');
  const tree = outline ? trans.__('Show the cards on the canvas') : trans.__('Show the cards as an outline');
  return (
    <span className="ca-ViewButtons">
      <button
        type="button"
        aria-label={find}
        title={find}
        aria-pressed={searching}
        onClick={() => actions.search(!searching)}
      >
        <Icon name="search" />
      </button>
      <button
        type="button"
        aria-label={tree}
        title={tree}
        aria-pressed={outline}
        onClick={() => actions.showOutline(!outline)}
      >
        <Icon name="outline" />
      </button>
    </span>
  );
}
