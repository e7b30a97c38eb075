/**
 * The whole project tab below its title: toolbar, notices, canvas with properties, monitor drawer.
 *
 * This is the entry of the lazily loaded chunk, so the canvas' own style sheets are imported here.
 */
import '@xyflow/react/dist/base.css';
import '../../style/theme.css';
import '../../style/shared.css';
import '../../style/panel.css';
import '../../style/dialog.css';
import '../../style/canvas.css';
import '../../style/build.css';
import '../../style/cards.css';
import '../../style/far.css';
import '../../style/views.css';
import '../../style/properties.css';
import '../../style/fields.css';
import '../../style/choosers.css';
import '../../style/prompt.css';
import '../../style/monitor.css';
import '../../style/tree.css';
import '../../style/ask.css';
import '../../style/output.css';
import '../../style/timeline.css';
import '../../style/events.css';
import '../../style/compare.css';
import '../../style/runs.css';
import '../../style/settings.css';
import '../../style/marks.css';
import '../../style/versions.css';
import '../../style/conflict.css';
import '../../style/tour.css';
import '../../style/forced.css';

import { Suspense, lazy, useEffect, useRef } from 'react';

import type { Client } from '../api/client';
import { Canvas } from '../canvas/Canvas';
import { Compare } from '../monitor/Compare';
import { Drawer } from '../monitor/Drawer';
import type { ProjectActions } from '../stores/actions';
import { shownDefinition } from '../stores/select';
import { TabProvider, UiProvider, useActions, useProject, useUi } from '../ui/context';
import type { Ui } from '../ui/context';
import { Icon } from '../ui/Icon';
import { advice } from '../ui/labels';

import { ForkDialog } from './ForkDialog';
import { Covers } from './Covers';
import { Notices } from './Notices';
import { Properties } from './Properties';
import { RunDialog } from './RunDialog';
import { Toolbar } from './Toolbar';
import { Tour } from './Tour';

const Versions = lazy(() => import('../versions/Versions').then(module => ({ default: module.Versions })));

/** The project could not be read: what happened, and the way on. */
function Unreadable(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const trouble = useProject(state => state.loadTrouble);
  return (
    <div className="ca-Empty" role="alert">
      <Icon name="error" />
      <h2>{trans.__('This project cannot be opened')}</h2>
      <p>{trouble?.message}</p>
      {trouble && <p>{advice(trans, trouble.code)}</p>}
      <button type="button" className="ca-Secondary" onClick={() => void actions.load()}>
        {trans.__('Try again')}
      </button>
    </div>
  );
}

function Body(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const root = useRef<HTMLDivElement>(null);
  const definition = useProject(shownDefinition);
  const failed = useProject(state => state.loadTrouble !== null);
  const properties = useProject(state => state.propertiesOpen);
  const asking = useProject(state => state.asking);
  const forking = useProject(state => state.runs.forking !== null);
  const versions = useProject(state => state.cover === 'versions');
  useEffect(() => {
    const node = root.current;
    if (!node) {
      return;
    }
    const observer = new ResizeObserver(([entry]) => {
      if (entry.contentRect.width > 0) {
        actions.setSize(entry.contentRect.width, entry.contentRect.height);
      }
    });
    observer.observe(node);
    return () => observer.disconnect();
  }, [actions]);
  return (
    <div className="ca-Panel" ref={root}>
      {definition ? (
        <>
          <Toolbar />
          <Notices />
          <div className="ca-Panel-body">
            {versions ? (
              <Suspense fallback={null}>
                <Versions definition={definition} />
              </Suspense>
            ) : (
              <>
                <Canvas definition={definition} />
                {properties && <Properties definition={definition} />}
              </>
            )}
          </div>
          <Drawer />
          {asking && <RunDialog definition={definition} />}
          <Compare />
          {forking && <ForkDialog definition={definition} />}
          <Covers definition={definition} />
          <Tour />
        </>
      ) : failed ? (
        <Unreadable />
      ) : (
        <div className="ca-Empty" role="status">
          {trans.__('Opening the project')}
        </div>
      )}
    </div>
  );
}

export interface PanelProps {
  ui: Ui & { client: Client };
  actions: ProjectActions;
}

export function Panel({ ui, actions }: PanelProps): JSX.Element {
  return (
    <UiProvider value={ui}>
      <TabProvider value={{ store: actions.store, actions }}>
        <Body />
      </TabProvider>
    </UiProvider>
  );
}
