import { DomainState, LifecycleEvent, PausedReason, ResumedDetail, RunningReason } from '../../../src/libvirt/index.ts';
import type { Process } from '../engine/process.ts';
import type { Domain, OutgoingJob } from './domain.ts';
import type { Hypervisor } from './hypervisor.ts';
import { refusal } from './libvirt-errors.ts';

/** The other end, as the source's daemon reaches it. */
export interface MigrationTarget {
  readonly hypervisor: Hypervisor;
  readonly daemon: Process;
  /** Whether a message gets there now, and is worked on. */
  isReachable(): boolean;
}

/** Memory copied per second. */
const BYTES_PER_SECOND = 256 * 2 ** 20;
const LOOK_MS = 250;
/** Each message between the daemons at the end, in milliseconds. */
const MESSAGE_MS = 10;
/** A dead peer is noticed by libvirt's keepalive: by the one who waits for an answer, and by one who only listens. */
const UNHEARD_MS = 5_000;
const KEEPALIVE_MS = 30_000;

const PROCEDURE = 'domainMigratePerform3Params';

/**
 * Moves a running guest to another host, as two libvirt daemons do it (peer to peer, protocol version 3): memory is copied
 * while the guest runs; then it stops here, is told to go on there (Finish), and when that is answered it ends here (Confirm).
 * @throws LibvirtError when it does not come to that
 */
export async function migrate(
  source: Hypervisor,
  domain: Domain,
  daemon: Process,
  target: MigrationTarget,
): Promise<void> {
  const copy = receiveAt(target, domain);
  const job: OutgoingJob = { totalBytes: domain.memoryBytes, remainingBytes: domain.memoryBytes, isAborted: false };
  domain.job = job;
  let isFinishSent = false;
  // A connection that breaks takes the copy with it, as long as it was not told to go on.
  daemon.onKill(() => {
    domain.job = undefined;
    if (!isFinishSent) void afterSourceIsGone(source, domain, target, copy);
  });
  await copyMemory(source, domain, daemon, target, copy, job);
  source.handOver(domain);
  await daemon.spend(MESSAGE_MS);
  if (!isThere(target, copy)) {
    domain.job = undefined;
    await daemon.spend(UNHEARD_MS);
    dropCopy(target, copy);
    throw refusal(PROCEDURE, 'OPERATION_FAILED', 'unable to connect to server: Connection timed out');
  }
  isFinishSent = true;
  const goesOn = target.hypervisor.takeOver(copy);
  await daemon.spend(MESSAGE_MS);
  domain.job = undefined;
  if (!target.isReachable()) {
    await daemon.spend(UNHEARD_MS);
    throw refusal(PROCEDURE, 'RPC', 'client socket is closed: keepalive timeout');
  }
  if (!goesOn) {
    target.hypervisor.stop(copy, 'destroyed');
    resumeHere(source, domain);
    throw refusal(PROCEDURE, 'OPERATION_FAILED', 'operation failed: the guest could not be resumed on the target');
  }
  source.stop(domain, 'migrated');
}

function receiveAt(target: MigrationTarget, domain: Domain): Domain {
  if (!target.isReachable()) {
    throw refusal(PROCEDURE, 'OPERATION_FAILED', 'unable to connect to server: Connection refused');
  }
  return target.hypervisor.receive(domain.xml);
}

async function copyMemory(
  source: Hypervisor,
  domain: Domain,
  daemon: Process,
  target: MigrationTarget,
  copy: Domain,
  job: OutgoingJob,
): Promise<void> {
  while (job.remainingBytes > 0) {
    const bytes = Math.min(job.remainingBytes, (BYTES_PER_SECOND * LOOK_MS) / 1000);
    await daemon.spend((bytes / BYTES_PER_SECOND) * 1000);
    job.remainingBytes -= bytes;
    const why = whyNot(source, domain, target, copy, job);
    if (why === undefined) continue;
    domain.job = undefined;
    dropCopy(target, copy);
    throw refusal(PROCEDURE, job.isAborted ? 'OPERATION_ABORTED' : 'OPERATION_FAILED', why);
  }
}

function whyNot(
  source: Hypervisor,
  domain: Domain,
  target: MigrationTarget,
  copy: Domain,
  job: OutgoingJob,
): string | undefined {
  if (source.domains.get(domain.uuid) !== domain) return 'operation failed: domain is not running';
  if (domain.state !== DomainState.RUNNING) return 'operation failed: the guest has stopped';
  if (job.isAborted) return 'operation aborted: migration out: canceled by client';
  return isThere(target, copy) ? undefined : 'operation failed: migration out: Connection reset by peer';
}

function isThere(target: MigrationTarget, copy: Domain): boolean {
  return target.isReachable() && target.hypervisor.domains.get(copy.uuid) === copy;
}

function dropCopy(target: MigrationTarget, copy: Domain): void {
  const waits = copy.state === DomainState.PAUSED && copy.reason === PausedReason.MIGRATION;
  if (waits) target.hypervisor.stop(copy, 'destroyed');
}

/** A process that ends closes its connections, and a machine without power says nothing. */
async function afterSourceIsGone(
  source: Hypervisor,
  domain: Domain,
  target: MigrationTarget,
  copy: Domain,
): Promise<void> {
  const { promise: daemonEnds, resolve } = Promise.withResolvers<void>();
  // libvirt ends unfinished copies when it starts anew.
  target.daemon.onKill(resolve);
  await Promise.race([target.daemon.spend(1), daemonEnds]);
  if (source.domains.get(domain.uuid) !== domain) await Promise.race([target.daemon.spend(KEEPALIVE_MS), daemonEnds]);
  dropCopy(target, copy);
}

function resumeHere(source: Hypervisor, domain: Domain): void {
  source.setState(domain, DomainState.RUNNING, RunningReason.MIGRATION_CANCELED);
  source.emit(domain, LifecycleEvent.RESUMED, ResumedDetail.UNPAUSED);
}
