import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { IncomingMigration } from '../../../../src/api/host.ts';
import type { MigrationStatus } from '../../../../src/api/migration.ts';
import type { VirtualMachineInstanceStatus } from '../../../../src/api/virtual-machine-instance.ts';
import type { InstanceMigration } from '../../../../src/api/virtual-machine-instance-migration.ts';
import { judgeLeftover, type MigrationJob, nextStep, type RunEnd } from '../../../../src/core/instance/index.ts';
import { migrationStatus } from '../../../../src/core/instance/migration.ts';
import { type MigrationInput, nextMigrationStep, questionOf } from '../../../../src/core/migration/next-step.ts';
import { YES } from '../../../../src/core/model/verdict.ts';
import { hostObject, instanceMigration, migration } from '../../../builders/migration.ts';
import { instance, virtualMachine } from '../../../builders/objects.ts';
import { domain, NOW_MS, run, situation } from '../../../builders/situation.ts';

/*
 * One VM, two hosts, libvirt, and the pure decisions of operator and agents, in every order. Anybody may forget at any moment
 * what he has not written down, and the operator may die between its two writes. Nobody may ever start or resume a copy while the
 * other runs, nor end the only one.
 */

const FENCED_AT = '2026-03-01T12:30:00.000Z';

type Copy = 'running' | 'paused' | 'none';

class Protocol {
  /** What is true, whoever knows of it. */
  source: Copy = 'running';
  target: 'running' | 'receiving' | 'none' = 'none';
  isCopying = false;
  sourceEnd: RunEnd | undefined;
  targetEpoch = 1;
  /** Whether the guest has shut itself down: then nobody need run it. */
  hasShutDown = false;

  /** What the API server holds. */
  spec: { host: string; epoch: number; migration: InstanceMigration | undefined } = {
    host: 'h1',
    epoch: 1,
    migration: undefined,
  };
  status: VirtualMachineInstanceStatus = { conditions: [], host: 'h1', phase: 'Running', observedEpoch: 1 };
  incoming: IncomingMigration | undefined;
  migrationStatus: Partial<MigrationStatus> = {};
  isDeleted = false;
  /** Its object is let go: nobody knows of it any more. */
  isGone = false;

  /** h1 has lost its power, and it is proven. */
  isSourceDead = false;
  /** Nothing has been written in the boot of h1 after that: the proof holds. */
  isProven = false;

  /** What the source's agent knows besides. */
  job: MigrationJob | undefined;
  breaks = 0;

  get vmi() {
    return instance({ spec: { ...this.spec, migration: this.spec.migration }, status: { ...this.status } });
  }

  get isOver(): boolean {
    return this.isGone || this.migrationStatus.phase === 'Succeeded' || this.migrationStatus.phase === 'Failed';
  }

  /** @param dies after the write of the status alone, or of the intent alone where it makes both at once */
  operatorPass(dies?: 'status written' | 'intent written'): void {
    const isIntentMissing = dies === 'status written';
    const input: MigrationInput = {
      nowMs: NOW_MS,
      migration: migration({
        metadata: this.isDeleted ? { deletionTimestamp: '2026-03-01T12:00:00Z' } : {},
        status: { startedAt: '2026-03-01T12:00:00Z', ...this.migrationStatus },
      }),
      vm: virtualMachine(),
      instance: this.vmi,
      incoming: this.incoming,
      target: YES,
      sourceOff: this.isProven ? { method: 'BMC', detectedAt: FENCED_AT, fencedAt: FENCED_AT } : undefined,
      isTargetOff: false,
      plan: () => ({
        ok: true,
        instance: this.vmi,
        sourceHost: 'h1',
        target: hostObject('h2'),
        settings: {} as never,
        explanation: '',
      }),
      turnToPrepare: () => YES,
      turnToCopy: () => YES,
    };
    const step = nextMigrationStep(input);
    switch (step.step) {
      case 'Begin':
        this.migrationStatus = { phase: 'Preparing', sourceHost: 'h1', targetHost: 'h2', sourceEpoch: this.spec.epoch };
        if (dies === undefined) this.spec = { ...this.spec, migration: instanceMigration({ order: 'Prepare' }) };
        return;
      case 'Order':
        if (!isIntentMissing && this.spec.migration !== undefined)
          this.spec = { ...this.spec, migration: { ...this.spec.migration, order: step.order } };
        return;
      case 'AskTarget':
        if (!isIntentMissing && this.spec.migration !== undefined) {
          const { sourceFencedAt } = step;
          this.spec = { ...this.spec, migration: { ...this.spec.migration, sourceFencedAt } };
        }
        return;
      case 'Switch':
        expect(`switched while the source is ${this.source}, the target ${this.target}`).toContain('source is none');
        if (dies !== 'intent written') this.migrationStatus = { ...this.migrationStatus, phase: 'Switching' };
        if (!isIntentMissing) this.spec = { host: 'h2', epoch: this.spec.epoch + 1, migration: undefined };
        return;
      case 'Release':
        this.migrationStatus = { ...this.migrationStatus, phase: 'Failed', failures: [step.failure] };
        if (dies === undefined) this.spec = { host: this.spec.host, epoch: this.spec.epoch + 1, migration: undefined };
        return;
      case 'Succeed':
        this.migrationStatus = { ...this.migrationStatus, phase: 'Succeeded' };
        return;
      case 'Refuse':
        this.migrationStatus = { ...this.migrationStatus, phase: 'Failed', failures: [...step.failures] };
        return;
      case 'LetGo':
        this.isGone = true;
        return;
      default:
        return;
    }
  }

  /** The agent of h1 looks, does one thing, and says what it sees. */
  sourcePass(): void {
    if (this.isSourceDead || this.spec.host !== 'h1') return;
    const state =
      this.source === 'running'
        ? { running: true as const }
        : { running: false as const, pausedBy: 'Migration' as const };
    const seen = situation({
      host: 'h1',
      spec: { ...this.spec },
      status: this.status,
      run: run({ epoch: 1 }),
      ...(this.source !== 'none' && { domain: domain({ epoch: this.spec.epoch, state }) }),
      ...(this.sourceEnd && { end: this.sourceEnd }),
      ...(this.job && { job: this.job }),
    });
    const step = nextStep(seen);
    switch (step.step) {
      case 'StartMigration':
        this.job = { uid: 'm-1', state: 'Running', startedAt: '2026-03-01T12:00:00Z', abortAsked: false };
        this.isCopying = true;
        this.target = 'receiving';
        break;
      case 'AbortMigration':
        this.copyFails();
        break;
      case 'Start':
      case 'Resume':
        expect(`${step.step} while the target is ${this.target}`).not.toContain('running');
        this.source = 'running';
        this.sourceEnd = undefined;
        break;
      case 'DropCopy':
        expect(`dropped while the target is ${this.target}`).toContain('running');
        this.source = 'none';
        this.sourceEnd = { began: true, at: '2026-03-01T12:00:00.000Z', reason: 'Migrated' };
        break;
      default:
        break;
    }
    this.sourceSays();
  }

  sourceSays(): void {
    this.isProven = false;
    const state =
      this.source === 'running'
        ? { running: true as const }
        : { running: false as const, pausedBy: 'Migration' as const };
    const told = migrationStatus(
      situation({
        spec: { ...this.spec },
        status: this.status,
        run: run({ epoch: 1 }),
        ...(this.source !== 'none' && { domain: domain({ epoch: this.spec.epoch, state }) }),
        ...(this.sourceEnd && { end: this.sourceEnd }),
        ...(this.job && { job: this.job }),
      }),
    );
    this.status = {
      conditions: [],
      host: 'h1',
      observedEpoch: this.spec.epoch,
      phase: this.source === 'running' ? 'Running' : 'Paused',
      ...(told && { migration: told }),
    };
  }

  /** The agent of h1 dies; the next one finds what libvirt still does. */
  sourceForgets(): void {
    this.job = this.isCopying ? this.job : undefined;
  }

  /** The agent of h2 looks. */
  targetPass(): void {
    const { migration: wanted } = this.spec;
    if (wanted?.targetHost === 'h2') {
      const answers = questionOf(this.vmi);
      if (wanted.sourceFencedAt !== undefined && this.target === 'receiving') this.target = 'none';
      const words = { running: 'Running', receiving: 'Receiving', none: 'Absent' } as const;
      this.incoming = {
        uid: wanted.uid,
        virtualMachine: 'default/vm',
        ready: true,
        domain: words[this.target],
        ...(answers !== undefined && { answers }),
      };
      return;
    }
    this.incoming = undefined;
    if (this.spec.host === 'h2') {
      if (this.target === 'none') {
        expect(`started at the target while the source is ${this.source}`).toContain('none');
        this.target = 'running';
      }
      this.targetEpoch = this.spec.epoch;
      this.status = { conditions: [], host: 'h2', phase: 'Running', observedEpoch: this.spec.epoch };
      return;
    }
    if (this.target !== 'running') return;
    const owner = {
      namespace: 'default',
      name: 'vm',
      virtualMachineUID: this.vmi.spec.virtualMachineUID,
      epoch: this.targetEpoch,
    };
    if (judgeLeftover(owner, this.vmi, 'h2').verdict !== 'Destroy') return;
    expect(`destroyed at the target while the source is ${this.source}`).toContain('running');
    this.target = 'none';
  }

  /** libvirt comes to an end. */
  copySucceeds(): void {
    if (!this.isCopying) return;
    this.target = 'running';
    this.source = 'none';
    this.sourceEnd = { began: true, at: '2026-03-01T12:00:00.000Z', reason: 'Migrated' };
    this.copyEnds();
  }

  copyFails(): void {
    if (!this.isCopying) return;
    this.target = 'none';
    this.copyEnds({ reason: 'LibvirtRefused', message: 'no' });
  }

  /** At the very end: what each side is left with is chance, but never two copies that run. */
  copyBreaks(source: Copy, target: 'running' | 'none'): void {
    if (!this.isCopying || (source === 'running' && target === 'running')) return;
    this.source = source;
    this.target = target;
    this.breaks += 1;
    if (source === 'none') this.sourceEnd = { began: true, at: '2026-03-01T12:00:00.000Z', reason: 'Lost' };
    this.copyEnds();
  }

  /** With all that runs there. A copy that was still coming neither comes nor goes any more, or had just come. */
  sourceDies(hasJustCome: boolean): void {
    if (this.isSourceDead) return;
    if (this.isCopying && hasJustCome) this.target = 'running';
    this.isCopying = false;
    this.isSourceDead = true;
    this.isProven = true;
    this.job = undefined;
    if (this.source !== 'none') this.sourceEnd = { began: true, at: '2026-03-01T12:00:00.000Z', reason: 'Lost' };
    this.source = 'none';
  }

  /** libvirt at the target finds out that nobody speaks to it any more. */
  targetGivesUp(): void {
    if (!this.isCopying && this.target === 'receiving') this.target = 'none';
  }

  guestShutsDown(): void {
    if (this.source !== 'running' || this.target === 'running') return;
    this.source = 'none';
    this.target = 'none';
    this.sourceEnd = { began: true, at: '2026-03-01T11:00:00.000Z', reason: 'Shutdown' };
    this.copyEnds();
  }

  private copyEnds(failure?: MigrationJob['failure']): void {
    this.isCopying = false;
    if (this.job === undefined) return;
    this.job = { ...this.job, state: 'Ended', endedAt: '2026-03-01T12:00:00.000Z', ...(failure && { failure }) };
  }
}

const ACTIONS: Readonly<Record<string, (world: Protocol) => void>> = {
  'the operator works': (world) => world.operatorPass(),
  'the operator dies': (world) => world.operatorPass('status written'),
  'the operator dies before the status': (world) => world.operatorPass('intent written'),
  "the source's agent works": (world) => world.sourcePass(),
  "the source's agent dies": (world) => world.sourceForgets(),
  "the target's agent works": (world) => world.targetPass(),
  'the copying succeeds': (world) => world.copySucceeds(),
  'the copying fails': (world) => world.copyFails(),
  'the copying breaks, both left': (world) => world.copyBreaks('paused', 'running'),
  'the copying breaks, the target died': (world) => world.copyBreaks('paused', 'none'),
  'the copying breaks, the source died': (world) => world.copyBreaks('none', 'running'),
  'the copying breaks, both died': (world) => world.copyBreaks('none', 'none'),
  'the guest shuts itself down': (world) => world.guestShutsDown(),
  'the source loses its power': (world) => world.sourceDies(false),
  'the source loses its power at the very end': (world) => world.sourceDies(true),
  'the source is back': (world) => {
    world.isSourceDead = false;
  },
  'the Migration is deleted': (world) => {
    world.isDeleted = true;
  },
};

/** The way to the middle of a migration: by chance alone few would get so far. */
const WAY = ['the operator works', "the target's agent works", 'the operator works', "the source's agent works"];
const works = fc.constantFrom(...WAY, 'the copying succeeds');
const happens = fc.constantFrom(...Object.keys(ACTIONS));

it('never starts a second copy nor ends the only one, and ends with one, whatever happens in whatever order', () => {
  fc.assert(
    fc.property(fc.nat(WAY.length), fc.array(fc.oneof(works, happens), { maxLength: 25 }), (steps, names) => {
      const world = new Protocol();
      for (const name of [...WAY.slice(0, steps), ...names]) ACTIONS[name]?.(world);
      // From here on everybody works, and libvirt has come to an end.
      for (let round = 0; round < 30; round += 1) {
        world.copySucceeds();
        // The agent does what libvirt would do in half a minute, where the source is known to be off.
        if (!world.isSourceDead) world.targetGivesUp();
        world.sourcePass();
        world.targetPass();
        world.operatorPass();
      }
      // A failover gives it another host.
      const isLost = world.isSourceDead && world.spec.host === 'h1';
      const copies = [world.source === 'running' ? 'h1' : '', world.target === 'running' ? 'h2' : ''].filter(Boolean);
      expect({ copies, isOver: world.isOver, migration: world.spec.migration }).toEqual({
        copies: isLost ? [] : [world.spec.host],
        isOver: true,
        migration: undefined,
      });
    }),
    { numRuns: 2_000 },
  );
});
