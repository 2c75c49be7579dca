import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DatastoreLoss,
  EIO_FOR_GOOD_MS,
  type FailedLook,
  lossAfter,
} from '../../../../src/core/ha/datastore-loss.ts';

const NOW_MS = 1_000_000;
const failed = (code: string): FailedLook => ({ failure: 'Failed', code });

describe('a look at a datastore that fails', () => {
  it.each<[string, FailedLook, DatastoreLoss['reason'] | undefined]>([
    ['because the directory is gone', { failure: 'Missing' }, 'PermanentlyLost'],
    ['because something else is mounted there, or nothing', { failure: 'WrongIdentity' }, 'PermanentlyLost'],
    ['since the server has no such export any more', failed('ESTALE'), 'PermanentlyLost'],
    ['since the device was taken away', failed('ENODEV'), 'PermanentlyLost'],
    ['since the device does not answer to its address', failed('ENXIO'), 'PermanentlyLost'],
    ['since the kernel has given the client up', failed('ESHUTDOWN'), 'PermanentlyLost'],
    ['because it hangs', { failure: 'Hung' }, 'AllPathsDown'],
    ['because a soft mount has given up', failed('ETIMEDOUT'), 'AllPathsDown'],
    ['because the server is out of reach', failed('EHOSTUNREACH'), 'AllPathsDown'],
    ['because the server is down', failed('ECONNREFUSED'), 'AllPathsDown'],
    ['with an I/O error, of which nobody knows yet how long it stays', failed('EIO'), 'AllPathsDown'],
    ['because it is not allowed', failed('EACCES'), undefined],
    ['because the host is out of file descriptors', failed('EMFILE'), undefined],
    ['because the process that looks has died', { failure: 'Failed' }, undefined],
    ['because it was asked what could harm', { failure: 'Refused' }, undefined],
  ])('%s', (_why, look, reason) => {
    expect(lossAfter(undefined, look, NOW_MS)?.reason).toBe(reason);
  });

  it('with nothing but I/O errors for a minute means that it is gone for good, until it is back', () => {
    const first = lossAfter(undefined, failed('EIO'), NOW_MS);
    expect(lossAfter(first, failed('EIO'), NOW_MS + EIO_FOR_GOOD_MS - 1)).toMatchObject({ reason: 'AllPathsDown' });
    const later = lossAfter(first, failed('EIO'), NOW_MS + EIO_FOR_GOOD_MS);
    expect(later).toEqual({ reason: 'PermanentlyLost', sinceMs: NOW_MS, failingSinceMs: NOW_MS });
    expect(lossAfter(later, failed('EIO'), NOW_MS + EIO_FOR_GOOD_MS + 1)).toMatchObject({ reason: 'PermanentlyLost' });
  });

  it('with I/O errors counts anew after anything else', () => {
    const first = lossAfter(undefined, failed('EIO'), NOW_MS);
    const hung = lossAfter(first, { failure: 'Hung' }, NOW_MS + 30_000);
    expect(lossAfter(hung, failed('EIO'), NOW_MS + EIO_FOR_GOOD_MS)).toEqual({
      reason: 'AllPathsDown',
      sinceMs: NOW_MS,
      failingSinceMs: NOW_MS + EIO_FOR_GOOD_MS,
    });
  });
});

const look = fc.oneof(
  fc.constantFrom<FailedLook>({ failure: 'Missing' }, { failure: 'WrongIdentity' }, { failure: 'Hung' }),
  fc.constantFrom('EIO', 'ESTALE', 'ETIMEDOUT', 'ENODEV').map(failed),
);

describe('a loss', () => {
  it('is as old as its first look, whatever becomes known of it later, and whatever the clock does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ look, stepMs: fc.integer({ min: 0, max: 40_000 }) }), { minLength: 1 }),
        (looks) => {
          let loss: DatastoreLoss | undefined;
          let nowMs = NOW_MS;
          for (const each of looks) {
            loss = lossAfter(loss, each.look, nowMs);
            expect(loss?.sinceMs).toBe(NOW_MS);
            nowMs += each.stepMs;
          }
          expect(lossAfter(loss, { failure: 'Hung' }, NOW_MS - 1)?.sinceMs).toBe(NOW_MS - 1);
        },
      ),
    );
  });
});
