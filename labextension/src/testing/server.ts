/**
 * A server for tests: answers by method and path, remembers what it was asked.
 */
import type { Transport } from '../api/client';

export interface Asked {
  method: string;
  path: string;
  body: unknown;
  headers: Headers;
}

export type Answer = (asked: Asked) => Response | Promise<Response>;

export function json(value: unknown, init: ResponseInit = {}): Response {
  return new Response(JSON.stringify(value), {
    ...init,
    headers: { 'Content-Type': 'application/json', ...(init.headers as Record<string, string>) }
  });
}

export function failure(status: number, code: string, message: string): Response {
  return json({ error: { code, message, details: {} } }, { status });
}

export class FakeServer {
  readonly asked: Asked[] = [];

  /** Routes as `GET projects/p1`; a path without its query matches too. */
  constructor(readonly routes: Record<string, Answer>) {}

  readonly transport: Transport = async (path, init = {}) => {
    const method = init.method ?? 'GET';
    const asked: Asked = {
      method,
      path,
      body: typeof init.body === 'string' ? JSON.parse(init.body) : init.body,
      headers: new Headers(init.headers)
    };
    this.asked.push(asked);
    const answer = this.routes[`${method} ${path}`] ?? this.routes[`${method} ${path.split('?')[0]}`];
    return answer ? answer(asked) : failure(404, 'NOT_FOUND', `no route for ${method} ${path}`);
  };

  sent(method: string, prefix: string): Asked[] {
    return this.asked.filter(each => each.method === method && each.path.startsWith(prefix));
  }
}
