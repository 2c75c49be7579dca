import { loadConfig } from '../../../src/kube/index.ts';
import { StorageHost } from './storage-host.ts';

/** The storage half of an agent as a process that a test can kill: `node storage-agent.ts <kubeconfig> <host> <state>`. */
const [, , kubeconfigPath = '', host = '', stateDirectory = ''] = process.argv;

await StorageHost.start({ connection: loadConfig({ kubeconfigPath }), host, stateDirectory });
process.stdout.write('ready\n');
