/**
 * What lies over the canvas of one tab: at most one thing at a time, loaded when it is first needed.
 */
import { Suspense, lazy } from 'react';

import type { Definition } from '../api/types';
import { useProject } from '../ui/context';

const ApiDialog = lazy(() => import('./ApiDialog').then(module => ({ default: module.ApiDialog })));
const ConflictDialog = lazy(() =>
  import('../versions/ConflictDialog').then(module => ({ default: module.ConflictDialog }))
);

export function Covers({ definition }: { definition: Definition }): JSX.Element | null {
  const cover = useProject(state => state.cover);
  return (
    <Suspense fallback={null}>
      {cover === 'api' && <ApiDialog definition={definition} />}
      {cover === 'conflict' && <ConflictDialog definition={definition} />}
    </Suspense>
  );
}
