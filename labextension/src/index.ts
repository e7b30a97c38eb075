/**
 * CloutAgent for JupyterLab: the list of its plugins, one file each.
 */
import { agents } from './plugins/agents';
import { cell } from './plugins/cell';
import { executions } from './plugins/executions';
import { notifications } from './plugins/notifications';
import { dashboard } from './plugins/dashboard';
import { preferences } from './plugins/preferences';
import { project } from './plugins/project';
import { projects } from './plugins/projects';
import { running } from './plugins/running';
import { sidebar } from './plugins/sidebar';
import { status } from './plugins/status';
import { url } from './plugins/url';

export { IAgents, IPreferences } from './tokens';

export default [
  agents,
  preferences,
  project,
  projects,
  sidebar,
  running,
  executions,
  status,
  notifications,
  cell,
  dashboard,
  url
];
