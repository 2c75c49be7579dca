/**
 * Every code a reconcile may fail with, and what happens then:
 * transient - retried with growing delay; waiting - looked at again after a fixed time; terminal - not retried until
 * the object changes. Codes are reasons of conditions and labels of metrics: CamelCase and stable. Sorted by name.
 */
export const errorTable = {
  AgentUnreachable: { class: 'waiting', requeueAfterMs: 5_000 },
  ApiConflict: { class: 'transient' },
  ApiForbidden: { class: 'transient' },
  ApiInvalid: { class: 'terminal' },
  ApiUnavailable: { class: 'transient' },
  BadSpec: { class: 'terminal' },
  DatastoreUnavailable: { class: 'waiting', requeueAfterMs: 10_000 },
  DomainRefused: { class: 'terminal' },
  HostUnavailable: { class: 'waiting', requeueAfterMs: 5_000 },
  Internal: { class: 'transient' },
  LeadershipLost: { class: 'transient' },
  LibvirtUnavailable: { class: 'transient' },
  NoHostFits: { class: 'waiting', requeueAfterMs: 15_000 },
  ReferenceNotFound: { class: 'waiting', requeueAfterMs: 10_000 },
  StorageFailed: { class: 'transient' },
  Timeout: { class: 'transient' },
} as const satisfies Record<string, ErrorTreatment>;

export type ErrorTreatment =
  | { class: 'transient' }
  | { class: 'waiting'; requeueAfterMs: number }
  | { class: 'terminal' };

export type ErrorClass = ErrorTreatment['class'];
export type ErrorCode = keyof typeof errorTable;
