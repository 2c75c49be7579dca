import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/**
 * The IP address of this host on its way to a server: what the kernel would send from. Nothing is sent.
 * @throws Error when there is no way there.
 */
export async function ownAddressTowards(server: string): Promise<string> {
  const { hostname, port } = new URL(server);
  const target = hostname.replace(/^\[|\]$/g, '');
  const socket = createSocket(target.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.connect(Number(port || 443), target);
    await once(socket, 'connect');
    return socket.address().address;
  } catch (cause) {
    throw new Error(`Cannot tell which address of this host leads to ${server}; give it with --address`, { cause });
  } finally {
    socket.close();
  }
}
