/**
 * How an MCP server is signed in to: read from its headers and credentials, and written back. Pure.
 *
 * The definition knows no such kinds, only which header or variable gets which secret; these are the shapes
 * that people have words for.
 */
import type { McpServer } from '../api/types';

export type AuthKind = 'none' | 'bearer' | 'basic' | 'keys';

export interface Auth {
  kind: AuthKind;
  /** Name of the secret of `bearer` and `basic`; empty where none is chosen yet. */
  secret: string;
}

type Signing = Pick<McpServer, 'transport' | 'headers' | 'credentials'>;

const HEADER = 'Authorization';
const VALUE = /^(Bearer|Basic) \{\{\s*secret:([A-Za-z_][A-Za-z0-9_]*)\s*\}\}$/i;

function headerName(server: Signing): string | undefined {
  return Object.keys(server.headers).find(each => each.toLowerCase() === HEADER.toLowerCase());
}

/** How `server` is signed in to. An `Authorization` of another shape is one of its headers and no sign-in. */
export function authOf(server: Signing): Auth {
  const header = server.transport === 'stdio' ? undefined : headerName(server);
  const match = header ? VALUE.exec(server.headers[header]) : null;
  if (match) {
    return { kind: match[1].toLowerCase() as 'bearer' | 'basic', secret: match[2] };
  }
  return { kind: Object.keys(server.credentials).length ? 'keys' : 'none', secret: '' };
}

/** Headers and credentials of `server` with another sign-in; without a secret there is none yet. The rest stays. */
export function withAuth(
  server: Signing,
  { kind, secret }: Auth
): Pick<McpServer, 'headers' | 'credentials'> {
  const before = authOf(server);
  const old = headerName(server);
  const headers = Object.fromEntries(
    Object.entries(server.headers).filter(
      ([name]) => !(name === old && (before.kind === 'bearer' || before.kind === 'basic'))
    )
  );
  if (secret && (kind === 'bearer' || kind === 'basic')) {
    const scheme = kind === 'bearer' ? 'Bearer' : 'Basic';
    return { headers: { ...headers, [HEADER]: `${scheme} {{secret:${secret}}}` }, credentials: {} };
  }
  return { headers, credentials: kind === 'keys' ? server.credentials : {} };
}

/** The header that signs in, as long as the sign-in is one of those that people have words for. */
export function signingHeaders(server: Signing): Record<string, string> {
  const { kind } = authOf(server);
  const name = headerName(server);
  return name && (kind === 'bearer' || kind === 'basic') ? { [name]: server.headers[name] } : {};
}

/** All other headers. */
export function plainHeaders(server: Signing): Record<string, string> {
  const signing = signingHeaders(server);
  return Object.fromEntries(Object.entries(server.headers).filter(([name]) => !(name in signing)));
}
