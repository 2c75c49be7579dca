import { domainRef, optionalText, text } from '../procedures/items.ts';
import { hyper, int, type OutOf, uhyper, uint } from '../xdr/schema.ts';
import { type Fields, type StructOut, struct } from '../xdr/struct.ts';
import { typedParams } from '../xdr/typedParams.ts';

const dom = domainRef;
const deviceAlias = text;

/** An event by the number it is registered with (virDomainEventID) and the procedure number of its messages. */
function event<const F extends Fields>(eventId: number, procedure: number, fields: F) {
  return { eventId, procedure, message: struct({ callbackId: int, ...fields }) };
}

/** Every event that Drover listens to, each in the form that carries the id of its registration. */
export const EVENTS = {
  /** `event` is a LifecycleEvent; a guest panic is CRASHED with detail CrashedDetail.PANICKED. */
  lifecycle: event(0, 318, { dom, event: int, detail: int }),
  reboot: event(1, 319, { dom }),
  /** `offset` in seconds from UTC. */
  rtcChange: event(2, 320, { dom, offset: hyper }),
  watchdog: event(3, 321, { dom, action: int }),
  /** `reason` is `enospc` when the storage is full, else empty or QEMU's own text. */
  ioError: event(6, 324, { dom, srcPath: text, devAlias: deviceAlias, action: int, reason: text }),
  controlError: event(7, 325, { dom }),
  diskChange: event(9, 327, {
    dom,
    oldSrcPath: optionalText,
    newSrcPath: optionalText,
    devAlias: deviceAlias,
    reason: int,
  }),
  /** `actual` in KiB. */
  balloonChange: event(13, 331, { dom, actual: uhyper }),
  deviceRemoved: event(15, 333, { dom, devAlias: deviceAlias }),
  /** `dst` is the disk's target name; `type` a BlockJobType, `status` a BlockJobStatus. */
  blockJob: event(16, 339, { dom, dst: text, type: int, status: int }),
  tunable: event(17, 346, { dom, params: typedParams(2048) }),
  agentLifecycle: event(18, 348, { dom, state: int, reason: int }),
  deviceAdded: event(19, 354, { dom, devAlias: deviceAlias }),
  migrationIteration: event(20, 359, { dom, iteration: int }),
  /** `params` are the figures that `domainGetJobStats` gives; a backup's also hold `success` and `errmsg`. */
  jobCompleted: event(21, 363, { dom, params: typedParams(64) }),
  deviceRemovalFailed: event(22, 367, { dom, devAlias: deviceAlias }),
  metadataChange: event(23, 379, { dom, type: int, nsuri: optionalText }),
  /** `threshold` and `excess` in bytes. */
  blockThreshold: event(24, 385, { dom, dev: text, path: optionalText, threshold: uhyper, excess: uhyper }),
  memoryFailure: event(25, 423, { dom, recipient: int, action: int, flags: uint }),
};

export type EventName = keyof typeof EVENTS;
/** What an event says, without the number of its registration. */
export type EventOf<N extends EventName> = Omit<OutOf<(typeof EVENTS)[N]['message']>, 'callbackId'>;
/** What all events have in common. */
export type EventMessage = StructOut<{ callbackId: typeof int }>;
