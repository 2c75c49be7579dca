/** What becomes of one VM on its host: the room's public interface for the agent. */
export { eventOf, type InstanceEvent } from './event.ts';
export { judgeGuest } from './guest-fault.ts';
export { endInStatus, runWithoutRecord, shutdownInStatus, stopAskedInStatus } from './history.ts';
export { type DomainOwner, judgeLeftover, type LeftoverVerdict } from './leftover.ts';
export { migrationStatus } from './migration.ts';
export { nextStep, type Rest, type Step } from './next-step.ts';
export type * from './situation.ts';
export { type ComputedStatus, instanceStatus } from './status.ts';
