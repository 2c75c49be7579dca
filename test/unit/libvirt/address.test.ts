import { describe, expect, it } from 'vitest';
import { LibvirtTransportError } from '../../../src/libvirt/index.ts';
import { targetOf } from '../../../src/libvirt/transport/address.ts';

const tls = { ca: 'ca', cert: 'cert', key: 'key' };

describe('libvirt URIs', () => {
  it.each([
    [
      {},
      {
        address: { transport: 'unix', path: '/run/libvirt/libvirt-sock' },
        driverUri: 'qemu:///system',
        place: '/run/libvirt/libvirt-sock',
      },
    ],
    [{ socketPath: '/s' }, { address: { transport: 'unix', path: '/s' }, driverUri: 'qemu:///system', place: '/s' }],
    [
      { uri: 'qemu:///session?socket=/t' },
      { address: { transport: 'unix', path: '/t' }, driverUri: 'qemu:///session', place: '/t' },
    ],
    [
      { uri: 'qemu+unix:///system' },
      {
        address: { transport: 'unix', path: '/run/libvirt/libvirt-sock' },
        driverUri: 'qemu:///system',
        place: '/run/libvirt/libvirt-sock',
      },
    ],
    [
      { uri: 'qemu+tcp://h/system' },
      { address: { transport: 'tcp', host: 'h', port: 16_509 }, driverUri: 'qemu:///system', place: 'tcp://h:16509' },
    ],
    [
      { uri: 'qemu+tcp://[::1]:99/system' },
      { address: { transport: 'tcp', host: '::1', port: 99 }, driverUri: 'qemu:///system', place: 'tcp://[::1]:99' },
    ],
    [
      { uri: 'qemu+tls://h/system', tls },
      {
        address: { transport: 'tls', host: 'h', port: 16_514, tls },
        driverUri: 'qemu:///system',
        place: 'tls://h:16514',
      },
    ],
    [
      { uri: 'qemu://h/system', tls },
      {
        address: { transport: 'tls', host: 'h', port: 16_514, tls },
        driverUri: 'qemu:///system',
        place: 'tls://h:16514',
      },
    ],
    [
      { uri: 'test:///default' },
      {
        address: { transport: 'unix', path: '/run/libvirt/libvirt-sock' },
        driverUri: 'test:///default',
        place: '/run/libvirt/libvirt-sock',
      },
    ],
  ])('%j', (options, target) => {
    expect(targetOf(options)).toEqual(target);
  });

  it.each([
    [{ uri: 'nonsense' }, /"nonsense" cannot be used: it is not a URI/],
    [{ uri: 'qemu+ssh://h/system' }, /transport "ssh" is not supported; use unix, tcp or tls/],
    [{ uri: 'qemu+tcp:///system' }, /names no host/],
    [{ uri: 'qemu+tls://h/system' }, /TLS needs `tls`/],
  ])('refuses %j', (options, message) => {
    expect(() => targetOf(options)).toThrow(LibvirtTransportError);
    expect(() => targetOf(options)).toThrow(message);
  });
});
