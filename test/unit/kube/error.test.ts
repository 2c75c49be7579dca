import { describe, expect, it } from 'vitest';
import { errorOfFailure, errorOfResponse } from '../../../src/kube/error-response.ts';

const status = (code: number, reason: string, more: object = {}) =>
  JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: 'said so', ...more });

describe('errors of refused calls', () => {
  it.each([
    { code: 404, reason: 'NotFound', is: ['isNotFound'] },
    { code: 409, reason: 'AlreadyExists', is: ['isAlreadyExists'] },
    { code: 409, reason: 'Conflict', is: ['isConflict'] },
    { code: 410, reason: 'Expired', is: ['isExpired'] },
    { code: 410, reason: 'Gone', is: ['isExpired'] },
    { code: 422, reason: 'Invalid', is: ['isInvalid'] },
    { code: 403, reason: 'Forbidden', is: ['isForbidden'] },
    { code: 401, reason: 'Unauthorized', is: ['isUnauthorized'] },
    { code: 429, reason: 'TooManyRequests', is: ['isTransient'] },
    { code: 500, reason: 'InternalError', is: ['isTransient'] },
    { code: 504, reason: 'Timeout', is: ['isTransient'] },
  ] as const)('takes $code $reason for $is and nothing else', ({ code, reason, is }) => {
    const error = errorOfResponse('get things a', code, status(code, reason, { details: { name: 'a' } }));
    const verdicts = {
      isNotFound: error.isNotFound(),
      isAlreadyExists: error.isAlreadyExists(),
      isConflict: error.isConflict(),
      isExpired: error.isExpired(),
      isInvalid: error.isInvalid(),
      isForbidden: error.isForbidden(),
      isUnauthorized: error.isUnauthorized(),
      isTransient: error.isTransient(),
      isAborted: error.isAborted(),
    };
    const holding = Object.entries(verdicts).filter(([, holds]) => holds);
    expect(holding.map(([name]) => name)).toEqual(is);
    expect(error.message).toBe('get things a: said so');
  });

  it.each([
    ['of a server that does not serve the kind', status(404, 'NotFound', { details: {} })],
    ['of a proxy', '<html>Not Found</html>'],
    ['of a server that is starting', '404 page not found'],
  ])('does not take the 404 %s for the absence of the object', (_whose, body) => {
    const error = errorOfResponse('get things a', 404, body);
    expect([error.isNotFound(), error.code, error.reason]).toEqual([false, 404, 'PathNotFound']);
  });

  it('reads field and owner of a server-side apply conflict', () => {
    const causes = [
      {
        reason: 'FieldManagerConflict',
        message: 'conflict with "drover-a" using drover.dev/v1alpha1',
        field: '.spec.host',
      },
      {
        reason: 'FieldManagerConflict',
        message: 'conflict with "kubectl \\"x\\"" with subresource "status"',
        field: '.status.a',
      },
      { reason: 'FieldValueInvalid', message: 'no', field: '.spec.b' },
    ];
    const error = errorOfResponse('apply things a', 409, status(409, 'Conflict', { details: { causes } }));
    expect(error.fieldConflicts).toEqual([
      { field: '.spec.host', owner: 'drover-a' },
      { field: '.status.a', owner: 'kubectl "x"' },
    ]);
  });

  it('keeps what the server asks for: wait before the next try', () => {
    const details = { retryAfterSeconds: 3 };
    expect(errorOfResponse('x', 429, status(429, 'TooManyRequests', { details })).retryAfterMs).toBe(3000);
    expect(errorOfResponse('x', 429, 'too many', '2').retryAfterMs).toBe(2000);
    expect(errorOfResponse('x', 500, status(500, 'InternalError')).retryAfterMs).toBeUndefined();
  });

  it('quotes an answer that is not from an API server', () => {
    const error = errorOfResponse('list things', 502, '<html>Bad Gateway</html>');
    expect([error.code, error.message]).toEqual([502, 'list things: <html>Bad Gateway</html>']);
  });

  it('says which side ended a call without answer', () => {
    expect(errorOfFailure('x', new Error('a'), 'timeout', 1500).message).toBe('x: no answer after 1.5 s');
    expect(errorOfFailure('x', new Error('a'), 'aborted').isAborted()).toBe(true);
    const both = new AggregateError([
      new Error('connect ECONNREFUSED ::1'),
      new Error('connect ECONNREFUSED 127.0.0.1'),
    ]);
    const unreachable = errorOfFailure('x', both);
    expect(unreachable.message).toBe('x: connect ECONNREFUSED ::1; connect ECONNREFUSED 127.0.0.1');
    expect([unreachable.isTransient(), unreachable.isAborted()]).toEqual([true, false]);
  });
});
