/**
 * Whether cards snap to the grid: where neither the project nor the person's settings say otherwise.
 */
import { usePreference, useProject } from '../ui/context';

export function useSnap(): boolean {
  const here = useProject(state => state.snap);
  const everywhere = usePreference('snap');
  return here && everywhere;
}
