import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { hostFilesOf } from '../../lab/host/host-files.ts';
import { libvirtdConfig, qemuConfig } from '../../lab/host/libvirt-config.ts';
import { cablesOf, uplinkBridgeOf } from '../../lab/host/network.ts';
import { HOSTS_MAX, hostIdentityOf, identityOf } from '../../lab/identity.ts';

/** IFNAMSIZ is 16 with the closing zero; sockaddr_un.sun_path is 108 with it (netdevice(7), unix(7)). */
const INTERFACE_NAME_MAX = 15;
const SOCKET_PATH_MAX = 107;

const checkout = mkdtempSync(join(tmpdir(), `drover-${'deep-'.repeat(20)}`));
afterAll(() => rmSync(checkout, { recursive: true }));
const lab = identityOf(checkout, 'an-instance-with-a-long-name-31', 511);

it('gives every bridge and cable of the largest lab a name that Linux takes, and no name twice', () => {
  const names = [lab.bridge, uplinkBridgeOf(lab)];
  for (let index = 1; index <= HOSTS_MAX; index++) names.push(...Object.values(cablesOf(lab, index)));
  expect(names.filter((name) => name.length > INTERFACE_NAME_MAX)).toEqual([]);
  expect(new Set(names).size).toBe(2 + 2 * HOSTS_MAX);
});

it('keeps the libvirt socket where its path is short, however deep the checkout lies', () => {
  expect(hostFilesOf(lab, HOSTS_MAX).libvirtSocket.length).toBeLessThanOrEqual(SOCKET_PATH_MAX);
});

it('opens libvirtd to other hosts over TLS alone, at the host’s own address', () => {
  const host = hostIdentityOf(lab, 1);
  const settings = libvirtdConfig(host).split('\n');
  for (const wanted of [
    `host_uuid = "${host.uuid}"`,
    'listen_tcp = 0',
    'listen_tls = 1',
    `listen_addr = "${host.address}"`,
    'unix_sock_rw_perms = "0700"',
  ]) {
    expect(settings).toContain(wanted);
  }
  expect(qemuConfig(host)).toContain(`migration_host = "${host.address}"`);
});
