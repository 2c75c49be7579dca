/** The field manager of each controller: who wrote what stands in `metadata.managedFields`. */
export const FIELD_MANAGERS = {
  cluster: 'drover-operator-cluster',
  datastore: 'drover-operator-datastore',
  cpuCompatible: 'drover-operator-cpu-compatible',
  evacuation: 'drover-operator-evacuation',
  hostCertificate: 'drover-operator-hostcertificate',
  host: 'drover-operator-host',
  image: 'drover-operator-image',
  migration: 'drover-operator-migration',
  portGroup: 'drover-operator-portgroup',
  ruleGroup: 'drover-operator-rulegroup',
  usage: 'drover-operator-usage',
  virtualMachine: 'drover-operator-virtualmachine',
  virtualSwitch: 'drover-operator-virtualswitch',
  volume: 'drover-operator-volume',
} as const;
