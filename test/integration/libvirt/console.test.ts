import { describe, expect, it } from 'vitest';
import { DomainConsole, isLibvirtError, screenshot } from '../../../src/libvirt/index.ts';
import { domainXml } from './builders.ts';
import { startDomain, useLibvirt } from './context.ts';

const context = useLibvirt();

describe('the console', () => {
  it('shows what the guest writes and takes what is typed', async () => {
    const { libvirt } = context;
    // The firmware talks on the serial port: its boot menu is a guest that answers.
    const xmlDesc = domainXml({ name: 'console', devices: "<serial type='pty'/><console type='pty'/>" }).replace(
      "machine='q35'>hvm</type>",
      "machine='q35'>hvm</type><bootmenu enable='yes' timeout='60000'/><bios useserial='yes'/>",
    );
    const { dom } = await libvirt.call('domainCreateXml', { xmlDesc });
    const console = await libvirt.stream('domainOpenConsole', { dom, flags: DomainConsole.FORCE });
    let seen = '';
    let asked = false;
    for await (const chunk of console.chunks()) {
      if (!('holeBytes' in chunk)) seen += Buffer.from(chunk).toString('latin1');
      if (!asked && /Press ESC for boot menu/.test(seen)) {
        asked = true;
        await console.write(Buffer.from('\x1b'));
      }
      if (/Select boot device/.test(seen)) break;
    }
    expect(seen).toMatch(/SeaBIOS/);
    expect(seen).toMatch(/Select boot device/);
    await libvirt.call('domainDestroyFlags', { dom });
  });

  it('ends when the domain does', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'ending', devices: "<serial type='pty'/><console type='pty'/>" });
    const console = await libvirt.stream('domainOpenConsole', { dom });
    const reading = (async () => {
      for await (const _ of console.chunks());
    })();
    await libvirt.call('domainDestroyFlags', { dom });
    await reading.catch((error: unknown) => expect(isLibvirtError(error)).toBe(true));
  });

  it('that does not exist is an error of the call', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'none' });
    await expect(libvirt.stream('domainOpenConsole', { dom, devName: 'serial7' })).rejects.toMatchObject({
      codeName: 'INTERNAL_ERROR',
    });
    await libvirt.call('domainDestroyFlags', { dom });
  });
});

describe('the screen', () => {
  it('is a picture', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, {
      name: 'screen',
      devices: "<video><model type='vga'/></video><graphics type='vnc'/>",
    });
    const { mime, image } = await screenshot(libvirt, dom, 0);
    expect(mime).toBe('image/png');
    expect(image.subarray(1, 4).toString()).toBe('PNG');
    expect(image.subarray(-8, -4).toString()).toBe('IEND');
    await libvirt.call('domainDestroyFlags', { dom });
  });
});
