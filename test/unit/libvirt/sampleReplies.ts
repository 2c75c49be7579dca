import type { CallName } from '../../../src/libvirt/index.ts';

const dom = { name: 'web-1', uuid: '6f1c2a34-5b6d-4e7f-8091-a2b3c4d5e6f7', id: 3 };
const vol = { pool: 'images', name: 'web-1.qcow2', key: '/images/web-1.qcow2' };

/** Replies as a daemon sends them, for tests that then damage them. */
export const SAMPLE_REPLIES: readonly { name: CallName; reply: object }[] = [
  { name: 'connectListAllDomains', reply: { domains: [dom, { ...dom, name: 'web-2', id: -1 }], ret: 2 } },
  { name: 'domainGetXmlDesc', reply: { xml: "<domain type='kvm'><name>web-1</name></domain>" } },
  { name: 'domainGetState', reply: { state: 1, reason: 5 } },
  {
    name: 'connectGetAllDomainStats',
    reply: {
      retStats: [
        {
          dom,
          params: {
            'state.state': 1,
            'cpu.time': 9_007_199_254_740_993n,
            'balloon.maximum': 4_194_304n,
            'block.0.name': 'vda',
          },
        },
        { dom, params: { 'vcpu.0.halted': true, load: 0.25 } },
      ],
    },
  },
  { name: 'storagePoolListAllVolumes', reply: { vols: [vol, vol], ret: 2 } },
  { name: 'domainGetJobStats', reply: { type: 1, params: { memory_total: 1024n, downtime: 20n, operation: 5 } } },
  {
    name: 'domainInterfaceAddresses',
    reply: {
      ifaces: [{ name: 'eth0', hwaddr: '52:54:00:00:00:01', addrs: [{ type: 0, addr: '192.0.2.7', prefix: 24 }] }],
    },
  },
  { name: 'domainMigratePerform3Params', reply: { cookieOut: new Uint8Array([1, 2, 3, 4, 5]) } },
  {
    name: 'nodeGetInfo',
    reply: { model: 'x86_64', memory: 1n, cpus: 2, mhz: 3, nodes: 1, sockets: 1, cores: 2, threads: 1 },
  },
  { name: 'qemuDomainAgentCommand', reply: { result: null } },
];
