/**
 * CloutAgent for JupyterLab: the list of its plugins, one file each.
 */
import { agents } from './plugins/agents';
import { dashboard } from './plugins/dashboard';
import { preferences } from './plugins/preferences';
import { project } from './plugins/project';
import { projects } from './plugins/projects';
import { running } from './plugins/running';
import { sidebar } from './plugins/sidebar';
import { url } from './plugins/url';

export { IAgents, IPreferences } from './tokens';

export default [agents, preferences, project, projects, sidebar, running, dashboard, url];
