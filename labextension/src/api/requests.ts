/**
 * How a request is sent and its answer read; what there is to ask is in `client.ts` and `admin.ts`.
 */
import { ApiError, errorOf } from './errors';
import type { Project } from './types';

/** Sends one request below the API's root, with the user's proof of identity added. */
export type Transport = (path: string, init?: RequestInit) => Promise<Response>;

/** A project together with the tag that a later save must show. */
export interface Tagged {
  project: Project;
  etag: string | null;
}

/** A file from the server, with the name it goes by. */
export interface Download {
  name: string;
  blob: Blob;
}

export const JSON_HEADERS = { 'Content-Type': 'application/json' };

/** `?name=value&…` of what is given, or nothing. */
export function query(parameters: Record<string, string | number | boolean | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') {
      search.set(name, String(value));
    }
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}

/** The file name that an answer gives itself. */
function nameOf(response: Response, otherwise: string): string {
  const header = response.headers.get('Content-Disposition') ?? '';
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(header)?.[1];
  const plain = /filename="?([^";]+)"?/i.exec(header)?.[1];
  try {
    return (encoded && decodeURIComponent(encoded)) || plain || otherwise;
  } catch {
    return plain ?? otherwise;
  }
}

export class Requests {
  constructor(readonly transport: Transport) {}

  protected _body(method: string, value: unknown): RequestInit {
    return { method, body: JSON.stringify(value), headers: JSON_HEADERS };
  }

  protected async _send(path: string, init?: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await this.transport(path, init);
    } catch (error) {
      throw new ApiError(error instanceof Error ? error.message : String(error), 0, 'OFFLINE');
    }
    if (!response.ok) {
      throw await errorOf(response);
    }
    return response;
  }

  protected async _json<T>(path: string, init?: RequestInit): Promise<T> {
    return (await (await this._send(path, init)).json()) as T;
  }

  protected async _tagged(path: string, init?: RequestInit): Promise<Tagged> {
    const response = await this._send(path, init);
    return { project: (await response.json()) as Project, etag: response.headers.get('ETag') };
  }

  protected async _download(path: string, otherwise: string): Promise<Download> {
    const response = await this._send(path);
    return { name: nameOf(response, otherwise), blob: await response.blob() };
  }
}
