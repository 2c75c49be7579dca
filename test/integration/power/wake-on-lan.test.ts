import { createSocket } from 'node:dgram';
import { expect, it } from 'vitest';
import { wakeOnLan } from '../../../src/power/index.ts';

it('sends the magic packet to the broadcast address', async () => {
  const listener = createSocket('udp4');
  const { promise: bound, resolve } = Promise.withResolvers<void>();
  // Loopback has a broadcast address, too: what is sent there is received on every address of the port.
  listener.bind(0, resolve);
  await bound;
  const received = new Promise<Buffer>((heard) => listener.once('message', heard));
  const { port } = listener.address();
  await wakeOnLan({ mac: '52:54:00:AB-CD:ef', broadcastAddress: '127.255.255.255', port }).powerOn(
    AbortSignal.timeout(5_000),
  );
  expect((await received).toString('hex')).toBe(`${'ff'.repeat(6)}${'525400abcdef'.repeat(16)}`);
  listener.close();
});

it.each([
  ['52:54:00:ab:cd', '127.255.255.255', 'Refused', /no MAC address/],
  ['52:54:00:ab:cd:ef', 'nowhere.invalid', 'Unreachable', /cannot be sent/],
])('does not wake %s through %s', async (mac, broadcastAddress, reason, says) => {
  const asked = wakeOnLan({ mac, broadcastAddress, port: 9 }).powerOn(AbortSignal.timeout(5_000));
  await expect(asked).rejects.toMatchObject({ name: 'PowerError', reason, message: expect.stringMatching(says) });
});
