import { createSocket } from 'node:dgram';
import { PowerError } from './error.ts';

export interface WakeOnLanOptions {
  /** Of the network card that listens while the machine is off: six bytes in hexadecimal, with `:` or `-` between them. */
  mac: string;
  /** Broadcast address of a network that reaches that card, e.g. `192.168.1.255`. */
  broadcastAddress: string;
  /** UDP port; cards do not look at it. 9 is usual. */
  port: number;
}

/** Can power a machine on. It cannot power it off, cannot read its state, and so can never confirm anything. */
export interface WakeOnLan {
  /** Resolves when the packets are sent. Nothing answers them. @throws PowerError, or the signal's reason. */
  powerOn(signal: AbortSignal): Promise<void>;
}

/** UDP may lose one, and a card that is awake already does not mind. */
const PACKETS = 3;

/** Wake-on-LAN by magic packets (AMD, Magic Packet Technology, publication 20213). */
export function wakeOnLan({ mac, broadcastAddress, port }: WakeOnLanOptions): WakeOnLan {
  return {
    async powerOn(signal) {
      signal.throwIfAborted();
      const packet = magicPacket(mac);
      const socket = createSocket(broadcastAddress.includes(':') ? 'udp6' : 'udp4');
      try {
        await new Promise<void>((resolve, reject) => {
          socket.once('error', reject).bind(0, () => resolve());
        });
        socket.setBroadcast(true);
        for (let sent = 0; sent < PACKETS; sent += 1) await send(packet);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        const message = `Wake-on-LAN of ${mac} through ${broadcastAddress}:${port}: the packet cannot be sent: ${why}. Check the broadcast address and this machine's routes.`;
        throw new PowerError('Unreachable', message, { cause });
      } finally {
        socket.close();
      }

      async function send(bytes: Uint8Array): Promise<void> {
        await new Promise<void>((resolve, reject) => {
          socket.send(bytes, port, broadcastAddress, (error) => (error ? reject(error) : resolve()));
        });
      }
    },
  };
}

/** Six bytes of ones, then the card's address sixteen times. @throws PowerError when that is none. */
export function magicPacket(mac: string): Uint8Array {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(mac)) {
    throw new PowerError('Refused', `Wake-on-LAN of "${mac}": that is no MAC address. Write it as 52:54:00:12:34:56.`);
  }
  const address = Buffer.from(mac.replaceAll(/[:-]/g, ''), 'hex');
  return Buffer.concat([Buffer.alloc(6, 0xff), ...Array<Buffer>(16).fill(address)]);
}
