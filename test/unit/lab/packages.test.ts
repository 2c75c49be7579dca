import { describe, expect, it } from 'vitest';
import { missingPackages } from '../../lab/install/packages.ts';

const STATUS = [
  'Package: etcd-server\nStatus: install ok installed\nPriority: optional\nVersion: 3.4.23-4\n',
  'Package: openssl\nStatus: deinstall ok config-files\nPriority: optional\n',
  'Package: qemu-utils\nEssential: no\nStatus: install ok installed\n',
  'Package: qemu-utils-doc\nStatus: install ok half-configured\n',
].join('\n');

describe('missing Debian packages', () => {
  it('are those that dpkg does not call installed: removed and half-installed ones too', () => {
    const wanted = ['qemu-utils-doc', 'openssl', 'etcd-server', 'qemu-utils', 'never-heard-of', 'openssl'];
    expect(missingPackages(wanted, STATUS)).toEqual(['never-heard-of', 'openssl', 'qemu-utils-doc']);
  });

  it('are none when all are installed', () => {
    expect(missingPackages(['etcd-server', 'qemu-utils'], STATUS)).toEqual([]);
  });
});
