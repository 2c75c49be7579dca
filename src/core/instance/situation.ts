import type { GuestCpu, VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { MigrationProgress } from '../../api/virtual-machine-instance-migration.ts';

export type StopReason = NonNullable<NonNullable<VirtualMachineInstance['status']>['lastStop']>['reason'];

/** A stop of a domain. */
export interface Stop {
  /** RFC 3339. */
  readonly at: string;
  readonly reason: StopReason;
}

/**
 * One start of the VM on this host, recorded before libvirt is asked for it and kept over restarts of the agent: without
 * it a stop that nobody saw could not be told from a start that never happened.
 */
export interface Run {
  readonly epoch: number;
  /** Restart request that this start carried out; empty: none. */
  readonly restartedAt: string;
  /** When it was decided (RFC 3339), by the clock of the host that has started it. */
  readonly startedAt: string;
  /** Boot of the host in which it was. Absent: not known. */
  readonly bootID?: string;
  /** How long libvirt's log of the domain was then, in bytes: what it has written of this run comes after that. Absent: the run was not started here. */
  readonly logOffset?: number;
  /** Starts so far after the domain had stopped by itself. */
  readonly restarts: number;
  /** How long this start was held back, in seconds. Absent: it did not follow a stop by itself. */
  readonly restartDelaySeconds?: number;
  /** How the run before this one ended. Absent: there was none. */
  readonly lastStop?: Stop;
}

/** How the last run ended. `began: false`: libvirt never got QEMU to run. */
export type RunEnd = { readonly began: false } | ({ readonly began: true } & Stop);

/** Why a domain does not run its CPUs. */
export type PauseCause =
  /** Somebody asked for it. */
  | 'Asked'
  /** A disk failed or is full; the request that failed is repeated when the domain is resumed. */
  | 'IOError'
  /** libvirt has not finished starting it: nothing can be asked of it, and it may come to nothing. */
  | 'Starting'
  /** Its memory is, or was, on its way to another host. */
  | 'Migration'
  /** The guest's kernel has panicked; the domain is kept as it was then. */
  | 'Panic'
  /** The guest has not fed its watchdog. */
  | 'Watchdog'
  /** libvirt is in the middle of something and resumes it itself. */
  | 'Transition';

/** The VM's domain on this host. */
export interface ObservedDomain {
  readonly epoch: number;
  readonly restartedAt: string;
  /** RFC 3339. */
  readonly startedAt: string;
  /** The CPU that the guest was given. Absent: not known. */
  readonly cpu?: GuestCpu;
  readonly state: { readonly running: true } | { readonly running: false; readonly pausedBy: PauseCause };
  /** Fields of the spec that it does not follow until it is started anew, sorted. */
  readonly outdatedFields: readonly string[];
  readonly guestTools: { readonly connected: boolean } & GuestReport;
  /** Its tools have their channel open and do not answer. Absent: they do, or nobody asks. */
  readonly silence?: GuestSilence;
}

/** How long a guest has not been heard of. Both spans lie between two observations, so that one that nobody looked at counts for nothing. */
export interface GuestSilence {
  /** RFC 3339: when the first question was given up. */
  readonly since: string;
  /** From then to the last question that was given up. */
  readonly silentForMs: number;
  /** For how long it has read, written and sent nothing. */
  readonly quietForMs: number;
}

/** What the guest agent told. */
export interface GuestReport {
  readonly hostname?: string;
  readonly os?: string;
  readonly addresses: readonly string[];
}

/** What the agent asked of the guest and still waits for. */
export interface ShutdownUnderWay {
  /** Unix time, milliseconds: when the power is cut. */
  readonly powerOffAtMs: number;
}

/** libvirt, or the host, would not start the domain. */
export interface Refusal {
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
  /** `metadata.generation` of the intent that was refused. */
  readonly generation: number;
  /** Unix time, milliseconds. Absent: not before the intent changes. */
  readonly retryAtMs?: number;
}

/** Another domain that has the name or UUID which this VM's domain needs. */
export interface Obstacle {
  readonly reason: 'DomainNameTaken' | 'DomainUUIDTaken' | 'StrayDomain';
  readonly message: string;
}

/** The copying of a VM's memory to another host, as the agent knows of it. */
export interface MigrationJob {
  /** uid of the Migration. */
  readonly uid: string;
  /** Ended: libvirt has no such job any more. */
  readonly state: 'Running' | 'Ended';
  /** RFC 3339. */
  readonly startedAt: string;
  /** RFC 3339. Absent: it runs. */
  readonly endedAt?: string;
  /** libvirt was asked to stop it. */
  readonly abortAsked: boolean;
  /** Why libvirt says it failed. Absent: it did not, or nobody heard. */
  readonly failure?: { readonly reason: string; readonly message: string };
  readonly progress?: MigrationProgress;
  readonly downtimeMilliseconds?: number;
}

/** Everything that decides what happens to one VM next. */
export interface Situation {
  /** Unix time, milliseconds. */
  readonly nowMs: number;
  /** Name of this host. */
  readonly host: string;
  /** Boot of this host. */
  readonly bootID: string;
  readonly instance: VirtualMachineInstance;
  /** The newest epoch of this VM that this host has seen; 0: none. */
  readonly newestEpoch: number;
  readonly domain?: ObservedDomain;
  readonly obstacle?: Obstacle;
  /** The last start on this host. Absent: none. */
  readonly run?: Run;
  /** How that run ended. Absent: the domain is there, or there was no run. */
  readonly end?: RunEnd;
  /** Whether that end was asked for by the agent. */
  readonly stopAsked: boolean;
  readonly shutdown?: ShutdownUnderWay;
  /** The last migration away from this host that the agent knows of. */
  readonly job?: MigrationJob;
  readonly refusal?: Refusal;
  /** The host is cut off, and ends its VMs although their intents want them: `instance` says so. Absent: it does not. */
  readonly isIsolated?: boolean;
  /** Datastore of its disks that the host has lost. Absent: none. */
  readonly lostDatastore?: string;
  /** A reset because of the guest has been written down, and could not be carried out. Absent: none. */
  readonly isResetOwed?: true;
  /** When a domain that an I/O error paused is resumed next. Absent: it has not been tried. */
  readonly resumeAtMs?: number;
}
