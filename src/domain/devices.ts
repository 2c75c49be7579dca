import type { VirtualMachineInstanceSpec } from '../api/virtual-machine-instance.ts';
import { element, type XmlElement } from './xml/element.ts';

/** Devices that every VM has, whatever its spec. */
export function standardDevices(consoleLogPath: string): XmlElement[] {
  return [
    // No VM uses USB; without a controller there is nothing to poll and less to attack.
    element('controller', { type: 'usb', index: 0, model: 'none' }),
    ...serialConsole(consoleLogPath),
    element('channel', { type: 'unix' }, [element('target', { type: 'virtio', name: GUEST_AGENT_CHANNEL })]),
    // No screen is served; firmware and guests that need a VGA card find one, and a screenshot shows a hung boot.
    element('video', {}, [element('model', { type: 'vga' })]),
    element('memballoon', { model: 'virtio' }, [element('stats', { period: BALLOON_STATS_PERIOD_SECONDS })]),
    element('rng', { model: 'virtio' }, [element('backend', { model: 'random' }, '/dev/urandom')]),
    // pvpanic: a guest kernel that dies says so, instead of only falling silent.
    element('panic', { model: 'isa' }),
  ];
}

/**
 * When it expires the guest is paused: what is done about it is decided by whoever knows the policy, also when the agent is away at
 * that moment, since the pause and its reason stay. Not q35's own iTCO, which libvirt can set up only from 9.1 on.
 */
export function watchdogElement(watchdog: VirtualMachineInstanceSpec['watchdog']): XmlElement | undefined {
  return watchdog && element('watchdog', { model: watchdog.model, action: 'pause' });
}

/** Name that qemu-guest-agent opens in the guest. */
export const GUEST_AGENT_CHANNEL = 'org.qemu.guest_agent.0';

const BALLOON_STATS_PERIOD_SECONDS = 10;

/** A pty, so that a person can attach, whose output is also kept in a file, so that one sees what was before. */
function serialConsole(logPath: string): XmlElement[] {
  return [
    element('serial', { type: 'pty' }, [
      element('log', { file: logPath, append: 'on' }),
      element('target', { type: 'isa-serial', port: 0 }),
    ]),
    element('console', { type: 'pty' }, [element('target', { type: 'serial', port: 0 })]),
  ];
}
