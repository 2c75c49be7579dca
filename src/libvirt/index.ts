export { openLibvirt } from './client.ts';
export * from './enums/index.ts';
export {
  type ErrorCodeName,
  isLibvirtError,
  isTransportError,
  LibvirtError,
  LibvirtTransportError,
  type TransportFailure,
} from './errors.ts';
export type { EventName, EventOf } from './events/table.ts';
export type { CallParameters, ClientEvents, Libvirt } from './libvirt.ts';
export type { CallOptions, Keepalive, LibvirtOptions, Reconnect, TlsMaterial } from './options.ts';
export type { DomainRef, NetworkRef, PoolRef, SnapshotRef, VolumeRef } from './procedures/items.ts';
export type { Lane } from './procedures/procedure.ts';
export type { ArgsOf, CallName, ProcedureName, ReplyOf, StreamName } from './procedures/table.ts';
export type { Hole, LibvirtStream } from './streams/stream.ts';
export { downloadVolume, type Source, screenshot, uploadVolume } from './streams/transfers.ts';
export { XdrError } from './xdr/reader.ts';
export { XdrValueError } from './xdr/schema.ts';
export type { TypedParams, TypedValue } from './xdr/typedParams.ts';
