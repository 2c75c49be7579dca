import { describe, expect, it } from 'vitest';
import { KubeError } from '../../../src/kube/index.ts';
import { CodedError, done, errorTable, requeueAfter, soonest, toCodedError } from '../../../src/runtime/index.ts';

const kubeError = (code: number, reason: string) => new KubeError({ code, reason, message: `${reason} happened` });

describe('the coded table', () => {
  it.each([
    { thrown: kubeError(409, 'Conflict'), code: 'ApiConflict', class: 'transient' },
    { thrown: kubeError(409, 'AlreadyExists'), code: 'ApiConflict', class: 'transient' },
    { thrown: kubeError(404, 'NotFound'), code: 'ReferenceNotFound', class: 'waiting' },
    { thrown: kubeError(404, 'PathNotFound'), code: 'ApiUnavailable', class: 'transient' },
    { thrown: kubeError(403, 'Forbidden'), code: 'ApiForbidden', class: 'transient' },
    { thrown: kubeError(401, 'Unauthorized'), code: 'ApiForbidden', class: 'transient' },
    { thrown: kubeError(422, 'Invalid'), code: 'ApiInvalid', class: 'terminal' },
    { thrown: kubeError(0, 'Unreachable'), code: 'ApiUnavailable', class: 'transient' },
    { thrown: kubeError(503, 'ServiceUnavailable'), code: 'ApiUnavailable', class: 'transient' },
    { thrown: kubeError(0, 'Timeout'), code: 'Timeout', class: 'transient' },
    { thrown: kubeError(0, 'LeadershipLost'), code: 'LeadershipLost', class: 'transient' },
    { thrown: new TypeError('a bug'), code: 'Internal', class: 'transient' },
    { thrown: 'a string', code: 'Internal', class: 'transient' },
  ])('takes $thrown for $code', ({ thrown, code, class: expected }) => {
    const error = toCodedError(thrown);
    expect([error.code, error.treatment.class]).toEqual([code, expected]);
    expect(error.cause).toBe(thrown);
  });

  it('leaves a coded error as it is', () => {
    const error = new CodedError('NoHostFits', 'none of 3 hosts has 4 GiB');
    expect(toCodedError(error)).toBe(error);
  });

  it('lets a waiting error say how long, and no other', () => {
    expect(new CodedError('NoHostFits', 'x', { requeueAfterMs: 7 }).treatment).toEqual({
      class: 'waiting',
      requeueAfterMs: 7,
    });
    expect(new CodedError('BadSpec', 'x', { requeueAfterMs: 7 }).treatment).toEqual({ class: 'terminal' });
  });

  it('is sorted, so that two rows for one thing stand side by side', () => {
    expect(Object.keys(errorTable)).toEqual(Object.keys(errorTable).toSorted());
  });
});

describe('soonest', () => {
  it('is the wish that is due first, or done when there is none', () => {
    const late = requeueAfter(9, 'late');
    const soon = requeueAfter(3, 'soon');
    expect(soonest([done, late, soon, requeueAfter(3, 'soon, but second'), done])).toBe(soon);
    expect(soonest([done, done])).toEqual(done);
    expect(soonest([])).toEqual(done);
  });
});
