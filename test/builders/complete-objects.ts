import type { KubeObject } from '../../src/kube/index.ts';

const CONDITIONS = [
  {
    type: 'Ready',
    status: 'True',
    reason: 'Running',
    message: 'runs on host-1',
    lastTransitionTime: '2026-01-02T03:04:05Z',
    observedGeneration: 1,
  },
];

function object(kind: string, spec: object, status: object): KubeObject {
  const own = { observedGeneration: 1, conditions: CONDITIONS, ...status };
  return { apiVersion: 'drover.dev/v1alpha1', kind, metadata: { name: 'complete' }, spec, status: own };
}

function labelSelector(): object {
  return { matchLabels: { rack: 'a' }, matchExpressions: [{ key: 'zone', operator: 'In', values: ['north'] }] };
}

function secret(): object {
  return { name: 'web-user-data', key: 'userData' };
}

function cluster(admissionControl: object): KubeObject {
  return object(
    'Cluster',
    {
      hostSelector: labelSelector(),
      ha: { enabled: true, policyName: 'patient', admissionControl },
      imc: { mode: 'Baseline', baseline: 'Haswell-noTSX-IBRS' },
      migration: {
        maxPerCluster: 5,
        maxPerHost: 2,
        bandwidth: '1Gi',
        maxDowntimeMilliseconds: 500,
        autoConverge: true,
        postCopy: 'Never',
        transport: 'TLS',
        progressTimeoutSeconds: 150,
        completionTimeoutSecondsPerGiB: 150,
      },
    },
    {
      baseline: {
        level: 'Haswell-noTSX-IBRS',
        blockedHosts: [{ host: 'host-3', best: 'Nehalem', missingFeatures: ['aes'] }],
        refused: { level: 'Nehalem', virtualMachines: ['default/web'] },
      },
      hosts: { total: 3, ready: 2 },
      ha: {
        protectedVirtualMachines: 4,
        unprotectedVirtualMachines: 1,
        fencingReadyHosts: 2,
        failuresTolerated: 1,
        reserve: { cpuCores: 8, memoryBytes: 2 ** 34, freeCores: 20.5, freeMemoryBytes: 2 ** 36 },
      },
      virtualMachines: { total: 5, running: 4 },
      cpu: { allocatableCores: 32, reservedCores: 1.5 },
      memory: { allocatableBytes: 2 ** 37, reservedBytes: 2 ** 33 },
    },
  );
}

function datastore(): KubeObject {
  return object(
    'Datastore',
    { type: 'Directory', path: '/srv/vms', shared: true },
    {
      id: '4f1c2d3e',
      hosts: ['host-1', 'host-2'],
      capacityBytes: 2 ** 40,
      freeBytes: 2 ** 39,
      capacity: '1Ti',
      free: '512Gi',
    },
  );
}

function vmFaultFigures(): object {
  return {
    heartbeatTimeoutSeconds: 30,
    ioQuietSeconds: 120,
    minUptimeSeconds: 120,
    maxResets: 3,
    windowSeconds: 3600,
  };
}

function guestFault(): object {
  return {
    reason: 'GuestHeartbeatLost',
    at: '2026-01-02T03:04:00Z',
    epoch: 1,
    action: 'Reboot',
    actedAt: ['2026-01-02T03:04:00Z'],
  };
}

function haPolicy(): KubeObject {
  return object(
    'HAPolicy',
    {
      hostFault: { action: 'Restart', delaySeconds: 60 },
      datastoreFault: { action: 'Restart', delaySeconds: 60, allPathsDownSeconds: 140 },
      isolationResponse: 'Shutdown',
      vmFault: { action: 'Restart', ...vmFaultFigures() },
      failureDetection: { suspectAfterSeconds: 5, deadAfterSeconds: 10 },
      fencing: { order: ['BMC', 'StorageLease'], timeoutSeconds: 30, maxSimultaneousPercent: 50 },
      restart: { maxConcurrentPerHost: 8, maxAttempts: 5, timeoutSeconds: 300 },
    },
    { clusters: ['main'] },
  );
}

function host(bmc: object): KubeObject {
  return object(
    'Host',
    {
      maintenance: 'Evacuate',
      evacuateWhenCordoned: true,
      reserved: { cpu: '500m', memory: '4Gi' },
      power: {
        bmc: { address: '192.0.2.21', port: 8443, credentialsSecret: 'bmc', ...bmc },
      },
    },
    {
      bootID: 'b00t',
      address: '192.0.2.11',
      usagePort: 9443,
      usageCertificate: '-----BEGIN CERTIFICATE-----',
      sealingKey: 'a2V5',
      tlsPublicKey: 'a2V5',
      tlsCertificate: {
        certificate: '-----BEGIN CERTIFICATE-----',
        authorities: '-----BEGIN CERTIFICATE-----',
        notAfter: '2026-04-02T03:04:05Z',
      },
      cpu: {
        model: 'Skylake-Server',
        vendor: 'Intel',
        sockets: 2,
        coresPerSocket: 16,
        threadsPerCore: 2,
        usableModels: ['Nehalem'],
        features: ['aes', 'lm'],
        unusableLevels: [{ name: 'EPYC', missingFeatures: ['sha-ni'] }],
      },
      numaCells: [{ id: 0, threads: 32, memoryBytes: 2 ** 36 }],
      capacity: { cpuCores: 64, memoryBytes: 2 ** 37, memory: '128Gi' },
      virtualization: 'kvm',
      versions: { libvirt: '9.0.0', qemu: '7.2.0', agent: '0.1.0', kernel: '6.1.0' },
      datastores: [
        { name: 'shared', available: true, id: '4f1c2d3e', capacityBytes: 2 ** 40, freeBytes: 2 ** 39, message: '' },
        {
          name: 'lost',
          available: false,
          message: 'it does not answer',
          loss: { reason: 'AllPathsDown', since: '2026-04-02T03:04:05Z' },
        },
      ],
      switches: [{ name: 'lan', available: false, message: 'there is no interface eth1' }],
      foreignDomains: [{ uuid: 'f0', name: 'other', state: 'running' }],
      strayDomains: [{ uuid: 'f1', virtualMachine: 'default/web', epoch: 3, message: 'no intent names it' }],
      nodeCordoned: true,
      systemUUID: '4f1c2d3e-0000-4000-8000-000000000001',
      powerState: 'Off',
      isolation: {
        response: 'Shutdown',
        yieldLease: true,
        peers: [{ name: 'host-2', address: '192.0.2.12', port: 9443 }],
      },
      storageLease: {
        state: 'Held',
        selfFenceSeconds: 14,
        watchdogSeconds: 8,
        datastoreIDs: ['6d3c2c50-5b1b-4f0e-9d0e-0d8f3a1c7e01'],
      },
      availability: {
        refusedConfirmation: 'b00t',
        state: 'Fenced',
        since: '2026-01-02T03:04:05Z',
        bootID: 'b00t',
        detectedAt: '2026-01-02T03:04:00Z',
        reason: 'PoweredOff',
        message: 'its BMC reads that it is off',
        fence: {
          bootID: 'b00t',
          method: 'BMC',
          startedAt: '2026-01-02T03:04:04Z',
          attempts: 1,
          confirmedAt: '2026-01-02T03:04:05Z',
          message: 'it had not answered after 5 s',
        },
      },
      evacuation: {
        cause: 'Spec',
        since: '2026-01-02T03:04:05Z',
        total: 5,
        remaining: 2,
        moving: 1,
        blocked: [{ virtualMachine: 'default/web', reason: 'LocalDisk', message: 'its disk is on host-1' }],
      },
      conditions: [...CONDITIONS, { ...CONDITIONS[0], type: 'InMaintenance', status: 'False', reason: 'Blocked' }],
      incomingMigrations: [
        {
          uid: 'm-1',
          virtualMachine: 'default/web',
          ready: false,
          reason: 'DatastoreUnavailable',
          message: 'disk "root" is not there',
          domain: 'Absent',
          answers: '2026-01-02T03:04:05Z',
        },
      ],
    },
  );
}

function image(): KubeObject {
  return object(
    'Image',
    { datastoreName: 'shared', path: 'debian/12.qcow2' },
    {
      phase: 'Ready',
      host: 'host-1',
      path: '/srv/vms/images/debian/12.qcow2',
      format: 'qcow2',
      virtualSizeBytes: 2 ** 31,
      virtualSize: '2Gi',
    },
  );
}

function migrationProgress(): object {
  return {
    at: '2026-01-02T03:04:05Z',
    totalBytes: 2 ** 31,
    processedBytes: 2 ** 30,
    remainingBytes: 2 ** 30,
    bytesPerSecond: 2 ** 28,
    dirtiedBytesPerSecond: 2 ** 20,
    iteration: 1,
    maxDowntimeMilliseconds: 100,
    throttlePercent: 20,
    postCopy: false,
  };
}

function migration(what: object): KubeObject {
  return object(
    'Migration',
    { ...what, targetHost: 'host-2', cause: 'User', ttlSecondsAfterFinished: 3600 },
    {
      phase: 'Failed',
      sourceHost: 'host-1',
      targetHost: 'host-2',
      sourceEpoch: 3,
      placement: 'host-2: chosen',
      startedAt: '2026-01-02T03:04:05Z',
      finishedAt: '2026-01-02T03:05:05Z',
      progressPercent: 50,
      progress: migrationProgress(),
      downtimeMilliseconds: 80,
      failures: [{ reason: 'NotConverging', message: 'the guest writes faster than is copied' }],
      members: [{ virtualMachine: 'web', sourceHost: 'host-1', state: 'Arrived' }],
    },
  );
}

function instanceMigration(): object {
  return {
    name: 'web-to-host-2',
    uid: 'm-1',
    targetHost: 'host-2',
    targetAddress: '192.0.2.12',
    order: 'Migrate',
    transport: 'TLS',
    bandwidthBytesPerSecond: 2 ** 29,
    maxDowntimeMilliseconds: 500,
    autoConverge: true,
    postCopy: false,
    progressTimeoutSeconds: 150,
    completionTimeoutSeconds: 300,
    sealedUserData: { source: 'uid/1', box: 'Ym94' },
    sourceFencedAt: '2026-01-02T03:04:05Z',
  };
}

function virtualSwitch(): KubeObject {
  return object('VirtualSwitch', { uplink: 'eth1', mtu: 1500 }, { hosts: ['host-1'] });
}

function portGroup(): KubeObject {
  return object('PortGroup', { virtualSwitchName: 'lan', vlan: 42 }, {});
}

function ruleGroup(spec: object): KubeObject {
  return object(
    'RuleGroup',
    { virtualMachines: { names: ['web'], selector: labelSelector() }, ...spec },
    {
      memberCount: 1,
      members: ['web'],
      hosts: ['host-1'],
      violations: [
        {
          virtualMachine: 'web',
          host: 'host-2',
          message: 'is not on one of its hosts',
          remedy: 'it is moved to host-1',
        },
      ],
      conditions: [...CONDITIONS, { ...CONDITIONS[0], type: 'Satisfied', status: 'False', reason: 'Violated' }],
      conflicts: [{ ruleGroup: 'other', message: 'together they leave no host for web; the older one keeps effect' }],
    },
  );
}

function volume(): KubeObject {
  return object(
    'Volume',
    { datastoreName: 'shared', size: '20Gi', provisioning: 'Thin', source: { imageName: 'debian-12' } },
    {
      phase: 'Ready',
      host: 'host-1',
      path: '/srv/vms/volumes/default/data.qcow2',
      format: 'qcow2',
      capacityBytes: 20 * 2 ** 30,
      allocatedBytes: 2 ** 30,
      capacity: '20Gi',
      allocated: '1Gi',
      attachedTo: 'web',
    },
  );
}

function virtualMachine(cloudInit: object): KubeObject {
  const volumeTemplate = {
    datastoreName: 'shared',
    size: '20Gi',
    provisioning: 'Thin',
    source: { imageName: 'debian-12' },
    reclaimPolicy: 'Delete',
  };
  return object(
    'VirtualMachine',
    {
      clusterName: 'main',
      hostSelector: labelSelector(),
      runStrategy: 'Always',
      paused: false,
      cpu: { sockets: 1, coresPerSocket: 2, threads: 1, reservation: '500m' },
      memory: { size: '2Gi' },
      machineType: 'q35',
      bootOrder: ['root', 'lan'],
      disks: [
        { name: 'root', volumeTemplate, bus: 'virtio', cache: 'none', readOnly: false },
        { name: 'data', volumeName: 'data', bus: 'scsi', cache: 'none', readOnly: true },
      ],
      nics: [{ name: 'lan', portGroup: 'lan', mac: '52:54:00:12:34:56', model: 'virtio' }],
      cloudInit: { ...cloudInit, networkData: 'version: 2\n' },
      watchdog: { model: 'i6300esb' },
      ha: {
        enabled: true,
        restartPriority: 'High',
        dependsOn: [{ name: 'database', readyWhen: 'GuestToolsConnected', timeoutSeconds: 600 }],
      },
      guestTools: 'Required',
      terminationGracePeriodSeconds: 60,
    },
    {
      lastFailover: {
        from: 'host-2',
        to: 'host-1',
        detectedAt: '2026-01-02T03:04:00Z',
        fencedAt: '2026-01-02T03:04:05Z',
        decidedAt: '2026-01-02T03:04:06Z',
        runningAt: '2026-01-02T03:04:08Z',
        proof: 'BMC',
      },
      recovery: {
        from: 'host-2',
        attempts: 1,
        reason: 'RestartFailed',
        message: 'every attempt has failed',
        tried: [failedStart],
      },
      lastFault: { ...guestFault(), host: 'host-1' },
      phase: 'Running',
      host: 'host-1',
      epoch: 1,
      domainUUID: '4f1c2d3e-5b6a-4789-8abc-0123456789ab',
      startedAt: '2026-01-02T03:04:05Z',
      restarts: 1,
      addresses: ['192.0.2.7'],
      nics: [{ name: 'lan', mac: '52:54:00:12:34:56' }],
      guest: { hostname: 'web', os: 'Debian GNU/Linux 12' },
    },
  );
}

function instance(): KubeObject {
  const disk = {
    name: 'root',
    volumeName: 'web-root',
    path: '/srv/vms/volumes/default/web-root.qcow2',
    format: 'qcow2',
    target: 'vda',
    bus: 'virtio',
    cache: 'none',
    readOnly: false,
    serial: 'root-1',
    bootOrder: 1,
  };
  const nic = {
    name: 'lan',
    mac: '52:54:00:12:34:56',
    virtualSwitchName: 'lan',
    vlan: 42,
    model: 'virtio',
    bootOrder: 2,
  };
  return object(
    'VirtualMachineInstance',
    {
      virtualMachineUID: 'c0a1f0c2-6a4b-4a57-9d0e-0a9f9d3c1b11',
      host: 'host-1',
      epoch: 3,
      bootID: 'b00t',
      domainUUID: '4f1c2d3e-5b6a-4789-8abc-0123456789ab',
      powerState: 'Running',
      restartedAt: '',
      restartPolicy: 'Always',
      gracePeriodSeconds: 60,
      machineType: 'q35',
      cpu: { sockets: 1, coresPerSocket: 2, threads: 1, model: 'Nehalem' },
      memoryBytes: 2 ** 31,
      reserved: { cpuCores: 0.5, memoryBytes: 2 ** 31 },
      disks: [disk],
      nics: [nic],
      cloudInit: {
        instanceID: 'i-1',
        hostname: 'web',
        userData: '#cloud-config\n',
        sealedUserData: { source: 'uid/1', box: 'Ym94' },
        networkData: 'version: 2\n',
      },
      watchdog: { model: 'i6300esb' },
      vmFault: { action: 'Restart', ...vmFaultFigures(), actedAt: ['2026-01-02T03:04:00Z'] },
      hostFault: { action: 'None' },
      migration: instanceMigration(),
      failover: {
        fromHost: 'host-2',
        bootID: 'b00t',
        proof: 'BMC',
        detectedAt: '2026-01-02T03:04:00Z',
        fencedAt: '2026-01-02T03:04:05Z',
        decidedAt: '2026-01-02T03:04:06Z',
        epoch: 1,
        tried: [failedStart],
        gaveUp: { at: '2026-01-02T03:04:07Z', generation: 1, restartedAt: '', hosts: ['host-1'] },
      },
      datastoreFault: {
        datastoreName: 'shared',
        reason: 'PermanentlyLost',
        detectedAt: '2026-01-02T03:04:00Z',
        decidedAt: '2026-01-02T03:04:15Z',
      },
    },
    instanceStatus(),
  );
}

const failedStart = {
  host: 'host-1',
  epoch: 1,
  at: '2026-01-02T03:04:07Z',
  reason: 'MemoryUnavailable',
  message: 'no memory',
};

function instanceStatus(): object {
  return {
    observedEpoch: 3,
    host: 'host-1',
    bootID: 'b00t',
    phase: 'CrashLoop',
    reason: 'GuestCrashed',
    message: 'the guest crashed',
    cpu: { model: 'Westmere', features: ['aes'] },
    startedAt: '2026-01-02T03:04:05Z',
    restartedAt: '2026-01-02T03:04:05Z',
    restarts: 2,
    restartDelaySeconds: 20,
    powerOffAt: '2026-01-02T03:06:05Z',
    nextStartAt: '2026-01-02T03:05:05Z',
    lastStop: { at: '2026-01-02T03:04:55Z', reason: 'Crashed' },
    restartRequired: ['spec.cpu'],
    migration: {
      uid: 'm-1',
      phase: 'Failed',
      startedAt: '2026-01-02T03:04:05Z',
      endedAt: '2026-01-02T03:05:05Z',
      reason: 'NotConverging',
      message: 'the guest writes faster than is copied',
      progress: migrationProgress(),
      downtimeMilliseconds: 80,
    },
    guestTools: {
      connected: true,
      silentSince: '2026-01-02T03:04:05Z',
      suppressedBy: 'RecentIO',
      hostname: 'web',
      os: 'Debian GNU/Linux 12',
      addresses: ['192.0.2.7'],
    },
    guestFault: guestFault(),
  };
}

/**
 * Valid objects that together hold every field of every kind, so that a test can break one field at a time. Fields that
 * exclude each other stand in different objects of the kind.
 */
export const COMPLETE_OBJECTS: Readonly<Record<string, readonly KubeObject[]>> = {
  Cluster: [
    cluster({ type: 'HostFailures', hostFailures: { count: 1 } }),
    cluster({ type: 'Percentage', percentage: { cpu: 25, memory: 25 } }),
    cluster({ type: 'FailoverHosts', failoverHosts: { hosts: ['host-3'], evacuate: true } }),
  ],
  Datastore: [datastore()],
  HAPolicy: [haPolicy()],
  Host: [
    host({
      type: 'Redfish',
      systemID: '1',
      certificateAuthority: '-----BEGIN CERTIFICATE-----',
      insecureSkipVerify: false,
    }),
    host({ type: 'IPMI', cipherSuite: 17 }),
  ],
  Image: [image()],
  Migration: [
    migration({ virtualMachineName: 'web', groupMigrationName: 'all' }),
    migration({ ruleGroupName: 'pair' }),
  ],
  PortGroup: [portGroup()],
  RuleGroup: [
    ruleGroup({ type: 'VMsToHosts', hosts: { names: ['host-1'], selector: labelSelector() }, relation: 'MustRunOn' }),
    ruleGroup({ type: 'Separate', enforcement: 'Preferred' }),
  ],
  VirtualMachine: [virtualMachine({ userData: '#cloud-config\n' }), virtualMachine({ userDataSecret: secret() })],
  VirtualMachineInstance: [instance()],
  VirtualSwitch: [virtualSwitch()],
  Volume: [volume()],
};
