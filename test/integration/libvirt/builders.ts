export interface DomainInput {
  readonly name: string;
  readonly memoryMib?: number;
  readonly uuid?: string;
  /** Further device elements. */
  readonly devices?: string;
}

/** A domain with nothing to boot, emulated in software: it runs the same wherever the tests run. */
export function domainXml({ name, memoryMib = 16, uuid, devices = '' }: DomainInput): string {
  return `<domain type='qemu'>
  <name>${name}</name>${uuid === undefined ? '' : `<uuid>${uuid}</uuid>`}
  <memory unit='MiB'>${memoryMib}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    ${devices}
  </devices>
</domain>`;
}

export function diskXml(path: string, target = 'vda', format = 'qcow2'): string {
  return `<disk type='file' device='disk'>
  <driver name='qemu' type='${format}'/>
  <source file='${path}'/>
  <target dev='${target}' bus='virtio'/>
</disk>`;
}
