/**
 * Requests through Jupyter's own connection: token, XSRF cookie and base URL are its business.
 */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { Transport } from './requests';

/** The API's address on the server that `settings` names. */
export function apiRoot(settings: ServerConnection.ISettings): string {
  return URLExt.join(settings.baseUrl, 'cloutagent', 'api', 'v1');
}

/** A transport for the server that `settings` names. */
export function jupyterTransport(settings: ServerConnection.ISettings): Transport {
  const root = apiRoot(settings);
  return (path, init = {}) => ServerConnection.makeRequest(`${root}/${path}`, init, settings);
}
