/** The room's public interface: other rooms import from here. */
export * from './boot-id.ts';
export { bootTimeMs } from './boot-time.ts';
export { DatastoreError, type DatastoreFailure, isFull } from './datastore/error.ts';
export { DatastoreFiles, type DatastoreFilesOptions } from './datastore/files.ts';
export type { VerbArgs, VerbName, VerbResult } from './datastore/verbs.ts';
export type { DomainProcess } from './domain-process.ts';
export { isSystemError, syncPath, writeFileDurably } from './durable-file.ts';
export { type GuestProcess, guestProcesses, isThere, killGuest } from './guest-processes.ts';
export { type HostFiles, hostFiles } from './host-files.ts';
export type { ImageInfo } from './image-info.ts';
export { type HostLoad, readHostLoad } from './load.ts';
export type { BridgeWish } from './network/bridge-plan.ts';
export * from './network/bridges.ts';
export type { Network } from './network/links.ts';
export * from './qemu-img.ts';
export * from './run-tool.ts';
export { type Seed, seedPath } from './seed.ts';
export { openWatchdog, type Watchdog } from './watchdog.ts';
