/**
 * The one shape in which a request to the server fails.
 */

/** A request that did not succeed; `message` is the server's sentence for a person. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly details: Record<string, unknown> = {}
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** Read the envelope `{"error": {...}}` of a failed answer, whatever a proxy made of it. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  try {
    const { code, message, details } = JSON.parse(text).error;
    if (typeof message === 'string') {
      return new ApiError(message, response.status, String(code), details ?? {});
    }
  } catch {
    // Not ours: a proxy's page, or a server without the extension.
  }
  const code = response.status === 404 ? 'NOT_FOUND' : 'UNEXPECTED';
  return new ApiError(`${response.status} ${response.statusText}`.trim(), response.status, code);
}
