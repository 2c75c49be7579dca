import { randomBytes } from 'node:crypto';
import { microTime } from './lease.ts';
import type { KindRef, KubeObject } from './object.ts';

/** events.k8s.io/v1 Event, as far as Drover writes it. */
export interface KubeEvent extends KubeObject {
  eventTime: string;
  type: 'Normal' | 'Warning';
  reason: string;
  action: string;
  note: string;
  regarding: ObjectReference;
  related?: ObjectReference;
  reportingController: string;
  reportingInstance: string;
  /** Present when the same thing happened more than once. */
  series?: { count: number; lastObservedTime: string };
}

interface ObjectReference {
  apiVersion: string;
  kind: string;
  name: string;
  namespace?: string;
  uid?: string;
}

export const eventKind: KindRef<KubeEvent> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

export interface EventInput {
  /** What the event is about. */
  regarding: KubeObject;
  /** A second object involved. */
  related?: KubeObject;
  type: 'Normal' | 'Warning';
  /** CamelCase, stable: people filter by it. */
  reason: string;
  /** What the controller did, CamelCase, e.g. `Migrating`. */
  action: string;
  /** One sentence with the numbers; cut at 1 KiB, the API's limit. */
  note: string;
}

/** The API refuses notes of 1024 bytes and more. */
const MAX_NOTE_BYTES = 1023;
/** DNS subdomains have 253 characters; a dot and 16 hexadecimal digits are added. */
const MAX_NAME_PREFIX = 236;

export function toEvent(
  input: EventInput,
  { reportingController, reportingInstance }: { reportingController: string; reportingInstance: string },
  now: Date,
): KubeEvent {
  const { regarding, related, type, reason, action } = input;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      // Cluster-scoped objects have their events in `default`, where `kubectl describe` looks for them.
      namespace: regarding.metadata.namespace ?? 'default',
      name: `${regarding.metadata.name.slice(0, MAX_NAME_PREFIX)}.${randomBytes(8).toString('hex')}`,
    },
    eventTime: microTime(now),
    type,
    reason,
    action,
    note: cutUtf8(input.note, MAX_NOTE_BYTES),
    regarding: referenceTo(regarding),
    ...(related && { related: referenceTo(related) }),
    reportingController,
    reportingInstance,
  };
}

/** Two events with the same identity are one series. The note belongs to it: the API lets nobody change one later. */
export function eventIdentity({ regarding, related, type, reason, action, note }: EventInput): string {
  const of = (object: KubeObject) => [
    object.kind,
    object.metadata.namespace,
    object.metadata.name,
    object.metadata.uid,
  ];
  return JSON.stringify([of(regarding), related ? of(related) : [], type, reason, action, note]);
}

function referenceTo({ apiVersion, kind, metadata: { name, namespace, uid } }: KubeObject): ObjectReference {
  return { apiVersion, kind, name, ...(namespace && { namespace }), ...(uid && { uid }) };
}

/** Cuts without splitting a character. */
function cutUtf8(text: string, maxBytes: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes));
  return text.slice(0, read);
}
