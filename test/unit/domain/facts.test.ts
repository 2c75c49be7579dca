import { describe, expect, it } from 'vitest';
import { domainFacts, domainXml, identityOf } from '../../../src/domain/index.ts';
import { instanceSpec } from '../../builders/virtual-machine-instance.ts';

const STARTED_AT = '2026-01-02T03:04:05.000Z';
const intent = { namespace: 'default', name: 'web', spec: instanceSpec({ epoch: 7 }) };
const ours = domainXml(intent, { virtualization: 'qemu', consoleLogPath: '/c.log', ports: new Map() }, STARTED_AT);

const foreign = (metadata: string): string =>
  `<domain type='kvm' id='1'><name>old</name><uuid>u</uuid><metadata>${metadata}</metadata></domain>`;

describe('the facts of a domain', () => {
  it('hold whose it is and what it was started from', () => {
    expect(domainFacts(ours)).toEqual({
      name: 'default_web',
      uuid: intent.spec.domainUUID,
      identity: identityOf(intent, STARTED_AT),
      guestAgentConnected: false,
    });
  });

  it.each([
    ['the model of a baseline', { model: 'Westmere' }, ['aes'], { model: 'Westmere' }],
    ['all features of the host, sorted, without one', {}, ['aes', 'lm'], { features: ['aes', 'lm'] }],
    ['nothing where the host has not told of any', {}, [], undefined],
  ])('hold the CPU that the guest was given: %s', (_what, model, cpuFeatures, cpu) => {
    const spec = instanceSpec({ cpu: { sockets: 1, coresPerSocket: 1, threads: 1, ...model } });
    const host = { virtualization: 'kvm', consoleLogPath: '/c.log', ports: new Map(), cpuFeatures } as const;
    expect(domainFacts(domainXml({ ...intent, spec }, host, STARTED_AT)).identity?.cpu).toEqual(cpu);
  });

  it('recognise the namespace under whatever prefix', () => {
    const renamed = ours.replaceAll('drover:', 'x:').replace('xmlns:drover', 'xmlns:x');
    expect(domainFacts(renamed).identity).toEqual(identityOf(intent, STARTED_AT));
  });

  it.each([
    ['there is no metadata', ''],
    [
      'only the prefix is ours',
      '<drover:vm xmlns:drover="https://example.org/" namespace="a" name="b" uid="c" epoch="1"/>',
    ],
    [
      'the element is another one',
      '<drover:x xmlns:drover="https://drover.dev/domain/v1" namespace="a" name="b" uid="c" epoch="1"/>',
    ],
    [
      'the epoch is no number',
      '<d:vm xmlns:d="https://drover.dev/domain/v1" namespace="a" name="b" uid="c" epoch="x"/>',
    ],
    ['the uid is missing', '<d:vm xmlns:d="https://drover.dev/domain/v1" namespace="a" name="b" epoch="1"/>'],
  ])('show a foreign domain when %s', (_why, metadata) => {
    expect(domainFacts(foreign(metadata))).toEqual({ name: 'old', uuid: 'u', guestAgentConnected: false });
  });

  it('tell whether the guest agent is connected', () => {
    const connected = ours.replace('org.qemu.guest_agent.0"', 'org.qemu.guest_agent.0" state="connected"');
    expect(domainFacts(connected).guestAgentConnected).toBe(true);
  });
});
