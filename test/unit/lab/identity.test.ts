import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HOSTS_MAX, hostIdentityOf, identityOf, portsOfSlot, SLOT_COUNT, subnetOfSlot } from '../../lab/identity.ts';
import {
  claimIdentity,
  isUsable,
  type MachineUse,
  parseListeningPorts,
  parseRoutes,
  releaseIdentity,
} from '../../lab/slots.ts';

const IDLE: MachineUse = { listeningPorts: new Set(), routes: [] };
const IFNAMSIZ = 16;

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'drover-identity-'));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

function checkout(name: string): string {
  const path = join(scratch, name);
  mkdirSync(path, { recursive: true });
  return path;
}

describe('a lab identity', () => {
  it('is the same for the same checkout, also through a symbolic link', () => {
    const real = checkout('a');
    symlinkSync(real, join(scratch, 'link'));
    expect(identityOf(join(scratch, 'link'), 'lab', 5)).toEqual(identityOf(real, 'lab', 5));
  });

  it('shares no name with another checkout or another instance of the same checkout', () => {
    const labs = [
      identityOf(checkout('a'), 'lab', 1),
      identityOf(checkout('a'), 'e2e', 2),
      identityOf(checkout('b'), 'lab', 3),
    ];
    const names = labs.flatMap((lab) => {
      const hosts = [1, 2, 3].map((index) => hostIdentityOf(lab, index));
      return [
        lab.tag,
        lab.folder,
        lab.kubeconfig,
        lab.bridge,
        ...hosts.flatMap((host) => [host.uuid, host.cable, host.mac, host.address]),
      ];
    });
    expect(new Set(names).size).toBe(names.length);
  });

  it('puts the kubeconfig of the lab itself where the README says', () => {
    const path = checkout('a');
    expect(identityOf(path, 'lab', 0).kubeconfig).toBe(join(realpathSync(path), '.lab', 'kubeconfig'));
  });

  it('keeps interface names within what the kernel takes, up to the last host', () => {
    const lab = identityOf(checkout('a'), 'lab', SLOT_COUNT - 1);
    const last = hostIdentityOf(lab, HOSTS_MAX);
    for (const name of [lab.bridge, last.cable]) expect(name.length).toBeLessThan(IFNAMSIZ);
    expect(last.address).toMatch(/\.210$/);
    expect(() => hostIdentityOf(lab, HOSTS_MAX + 1)).toThrow('out of range');
  });

  it('gives hosts UUIDs and MAC addresses of the right form', () => {
    const host = hostIdentityOf(identityOf(checkout('a'), 'lab', 0), 1);
    expect(host.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]0[0-9a-f]-[89ab][0-9a-f]0[0-9a-f]-[0-9a-f]{12}$/);
    expect(host.mac).toMatch(/^02(:[0-9a-f]{2}){5}$/);
  });

  it('refuses an instance name that is no folder name', () => {
    expect(() => identityOf(checkout('a'), '../b', 0)).toThrow('no usable name');
  });
});

describe('slots', () => {
  it('never overlap in ports or subnets, and stay below the ephemeral ports', () => {
    const subnets = new Set<string>();
    const ports = new Set<number>();
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      subnets.add(subnetOfSlot(slot).cidr);
      const { firstSpare, ...named } = portsOfSlot(slot);
      for (const port of Object.values(named)) ports.add(port);
      expect(firstSpare).toBeLessThan(32_768);
    }
    expect(subnets.size).toBe(SLOT_COUNT);
    expect(ports.size).toBe(SLOT_COUNT * 6);
  });

  it('are claimed once: labs that prefer the same slot get different ones, until none is left', () => {
    const claims = join(scratch, 'claims');
    mkdirSync(claims);
    for (let slot = 2; slot < SLOT_COUNT; slot++) {
      writeFileSync(join(claims, String(slot).padStart(3, '0')), `/lab-${slot}\n`);
    }
    const slots = ['a', 'b'].map((name) => claimIdentity(checkout(name), 'lab', () => IDLE, claims).slot);
    expect(slots.sort()).toEqual([0, 1]);
    expect(() => claimIdentity(checkout('c'), 'lab', () => IDLE, claims)).toThrow('No slot is left');
  });

  it('stay with their lab until it releases them, also when its own ports are in use and somebody emptied /run', () => {
    const claims = join(scratch, 'claims');
    const first = claimIdentity(checkout('a'), 'lab', () => IDLE, claims);
    const busy = { listeningPorts: new Set([first.ports.etcdClient]), routes: [] };
    expect(claimIdentity(checkout('a'), 'lab', () => busy, claims)).toEqual(first);
    rmSync(claims, { recursive: true });
    expect(claimIdentity(checkout('a'), 'lab', () => busy, claims)).toEqual(first);
    releaseIdentity(first, claims);
    expect(claimIdentity(checkout('a'), 'lab', () => busy, claims).slot).not.toBe(first.slot);
  });

  it('are skipped when a port or a route of the machine is in the way', () => {
    expect(isUsable(7, IDLE)).toBe(true);
    expect(isUsable(7, { ...IDLE, listeningPorts: new Set([portsOfSlot(7).apiServer]) })).toBe(false);
    const companyNetwork = parseRoutes(`${ROUTE_HEADER}\neth0\t0000C90A\t0102A8C0\t0003\t0\t0\t100\t0000FFFF\t0\t0\t0`);
    expect(isUsable(7, { ...IDLE, routes: companyNetwork })).toBe(false);
    expect(isUsable(300, { ...IDLE, routes: companyNetwork })).toBe(true);
  });
});

const ROUTE_HEADER = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT';

describe('the kernel tables', () => {
  it('name the listening ports and no others', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:5810 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1',
      '   1: 0100007F:5811 0100007F:5810 01 00000000:00000000 00:00000000 00000000     0        0 2 1',
    ].join('\n');
    expect(parseListeningPorts(table)).toEqual([0x5810]);
  });

  it('leave the default route out', () => {
    const table = `${ROUTE_HEADER}\neth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0`;
    expect(parseRoutes(table)).toEqual([]);
  });
});
