import type { LabHost } from '../../lab/host/lab-host.ts';
import { waitFor } from '../../lab/wait.ts';

/** linux/if_packet.h, linux/if_ether.h: raw frames of every protocol, also those that no interface of the host is for. */
const PACKET_SOCKET = `
use Socket;
my ($nic, $marker) = @ARGV;
open my $file, '<', "/sys/class/net/$nic/ifindex" or die $!;
my $index = <$file>;
socket(my $socket, 17, SOCK_RAW, unpack('n', pack('S', 3))) or die $!;
bind($socket, pack('S n i S C C a8', 17, 3, $index, 0, 0, 0, '')) or die $!;
`;
/** To everybody, from a locally administered address, 802.1Q with VLAN 42, local experimental ethertype 0x88b5. */
const SEND = `${PACKET_SOCKET}
my $frame = pack('H12 H12 n n n a64', 'ffffffffffff', '020000000042', 0x8100, 42, 0x88b5, $marker);
send($socket, $frame, 0) or die $!;
`;
const RECEIVE = `${PACKET_SOCKET}
alarm 20;
$| = 1;
print "listening\\n";
while (1) {
  recv($socket, my $frame, 2000, 0) // die $!;
  if (index($frame, $marker) >= 0) { print "received\\n"; exit 0; }
}
`;

/** Sends frames of VLAN 42 out of an interface of one host until one has come to an interface of another. */
export async function reachesTagged(from: LabHost, to: LabHost, nic: string): Promise<void> {
  const marker = `drover-${process.pid}-${Date.now()}`;
  let received = false;
  const receiving = to.run('perl', ['-e', RECEIVE, nic, marker]).then((said) => {
    received = said.includes('received');
  });
  const arrival = waitFor(
    `a tagged frame from ${from.name} to reach ${to.name}`,
    async () => {
      await from.run('perl', ['-e', SEND, nic, marker]);
      return received ? { ready: true, value: undefined } : { ready: false, because: 'none has arrived' };
    },
    { timeoutMs: 15_000, intervalMs: 100 },
  );
  await Promise.all([receiving, arrival]);
}
