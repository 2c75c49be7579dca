import { errors } from 'undici';
import { z } from 'zod';
import { KubeError } from './error.ts';

/** metav1.Status, as the server answers a refused call. */
const statusSchema = z.object({
  kind: z.literal('Status'),
  message: z.string().default(''),
  reason: z.string().default(''),
  code: z.number().optional(),
  details: z
    .object({
      name: z.string().optional(),
      retryAfterSeconds: z.number().optional(),
      causes: z
        .array(
          z.object({ reason: z.string().default(''), message: z.string().default(''), field: z.string().default('') }),
        )
        .optional(),
    })
    .optional(),
});

const MAX_QUOTED_BODY = 300;

/**
 * Turns an answer that is no success into an error.
 * @param what the call, e.g. `apply virtualmachines default/web`; begins the message.
 */
export function errorOfResponse(what: string, httpStatus: number, body: string, retryAfterHeader?: string): KubeError {
  return errorOfStatus(what, parseJson(body), httpStatus, body, retryAfterHeader);
}

/** The same for a Status object that came as a watch event. */
export function errorOfStatus(
  what: string,
  value: unknown,
  httpStatus = 0,
  text = JSON.stringify(value),
  retryAfterHeader?: string,
): KubeError {
  const parsed = statusSchema.safeParse(value);
  const status = parsed.success ? parsed.data : undefined;
  const code = status?.code ?? httpStatus;
  const why = status?.message || text.trim().slice(0, MAX_QUOTED_BODY) || 'no explanation';
  const reason = status?.reason || reasonOfCode(code);
  const namesObject = Boolean(status?.details?.name);
  const retryAfterSeconds = status?.details?.retryAfterSeconds ?? Number(retryAfterHeader ?? Number.NaN);
  return new KubeError({
    code,
    reason: reason === 'NotFound' && !namesObject ? 'PathNotFound' : reason,
    message: `${what}: ${why}`,
    causes: status?.details?.causes ?? [],
    ...(Number.isFinite(retryAfterSeconds) && { retryAfterMs: retryAfterSeconds * 1000 }),
  });
}

/** What broke before an answer came. `timedOut` and `aborted` say whether this side ended the call. */
export function errorOfFailure(
  what: string,
  failure: unknown,
  ended?: 'timeout' | 'aborted',
  timeoutMs?: number,
): KubeError {
  if (failure instanceof KubeError) return failure;
  if (ended === 'aborted') {
    return new KubeError({ code: 0, reason: 'Aborted', message: `${what}: ended by the caller`, cause: failure });
  }
  if (ended === 'timeout') {
    const after = timeoutMs === undefined ? '' : ` after ${(timeoutMs / 1000).toFixed(1)} s`;
    return new KubeError({ code: 0, reason: 'Timeout', message: `${what}: no answer${after}`, cause: failure });
  }
  const reason = failure instanceof errors.BodyTimeoutError ? 'Silent' : 'Unreachable';
  return new KubeError({ code: 0, reason, message: `${what}: ${rootMessage(failure)}`, cause: failure });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Not from the API server but from something before it: the text itself is quoted in the message.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** An AggregateError of several addresses has an empty message of its own. */
function rootMessage(failure: unknown): string {
  if (failure instanceof AggregateError && failure.errors.length > 0) return failure.errors.map(rootMessage).join('; ');
  return failure instanceof Error ? failure.message || failure.name : String(failure);
}

function reasonOfCode(code: number): string {
  const reasons: Readonly<Record<number, string>> = {
    400: 'BadRequest',
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'NotFound',
    409: 'Conflict',
    410: 'Expired',
    422: 'Invalid',
    429: 'TooManyRequests',
    503: 'ServiceUnavailable',
    504: 'Timeout',
  };
  return reasons[code] ?? (code >= 500 ? 'InternalError' : 'BadResponse');
}
