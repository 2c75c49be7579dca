import type { LabHostIdentity } from '../identity.ts';

/** How is a host's libvirtd set up? Paths are those inside the host. */

/**
 * Other hosts reach it over TLS alone: the lab's network is open to every user of the machine, and whoever talks to
 * libvirtd is root.
 */
export function libvirtdConfig({ uuid, address }: LabHostIdentity): string {
  return settings({
    host_uuid: uuid,
    unix_sock_rw_perms: '0700',
    auth_unix_ro: 'none',
    auth_unix_rw: 'none',
    listen_tls: 1,
    listen_tcp: 0,
    listen_addr: address,
    auth_tls: 'none',
    log_level: 3,
    log_outputs: '3:stderr',
  });
}

/** What a libvirtd asks of the machine and does not get in namespaces of our own is switched off. */
export function qemuConfig({ address }: LabHostIdentity): string {
  return settings({
    user: 'root',
    group: 'root',
    security_driver: 'none',
    namespaces: [],
    cgroup_controllers: [],
    stdio_handler: 'file',
    // The name of a lab host does not resolve in the others, so incoming migrations are sent to the address.
    migration_host: address,
    migration_address: address,
  });
}

/** The machine's own file would give virsh in the host the machine's aliases and default connection. */
export function libvirtClientConfig(): string {
  return settings({ uri_default: 'qemu:///system' });
}

function settings(values: Readonly<Record<string, string | number | readonly string[]>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
    .join('');
}
