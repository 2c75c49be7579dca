import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DomainDefine, isLibvirtError, type Libvirt, openLibvirt } from '../../../src/libvirt/index.ts';
import { type OwnHosts, startOwnHosts } from '../lab/own-hosts.ts';

const GOLDEN = join(import.meta.dirname, '../../unit/domain/golden');

let own: OwnHosts;
let libvirt: Libvirt;

beforeAll(async () => {
  own = await startOwnHosts('agent-schema', 1);
  libvirt = await openLibvirt({ socketPath: own.host(1).files.libvirtSocket });
});
afterAll(async () => {
  await libvirt?.close();
  await own?.remove();
});

/** Whether libvirt's own schema takes the XML. That this machine cannot run what it describes is another matter. */
async function fitsSchema(xml: string): Promise<boolean> {
  try {
    const { dom } = await libvirt.call('domainDefineXmlFlags', { xml, flags: DomainDefine.VALIDATE });
    await libvirt.call('domainUndefineFlags', { dom });
    return true;
  } catch (error) {
    if (!isLibvirtError(error)) throw error;
    return error.codeName !== 'XML_INVALID_SCHEMA';
  }
}

describe("libvirt's schema of a domain", () => {
  it.each(readdirSync(GOLDEN).sort())('takes %s', async (file) => {
    expect(await fitsSchema(readFileSync(join(GOLDEN, file), 'utf8'))).toBe(true);
  });

  it('is asked: it refuses an element that it does not know', async () => {
    const xml = readFileSync(join(GOLDEN, 'diskless-qemu.xml'), 'utf8');
    expect(await fitsSchema(xml.replace('<acpi/>', '<acpi/><teleport/>'))).toBe(false);
  });
});
