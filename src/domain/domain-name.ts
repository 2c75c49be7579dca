/**
 * libvirt's name of a VM's domain. Kubernetes names hold no underscore, so two VMs never share one; at most 63 + 1 + 63
 * characters, which leaves room in the file names that libvirt makes of it (NAME_MAX is 255).
 */
export function domainName(vm: { readonly namespace: string; readonly name: string }): string {
  return `${vm.namespace}_${vm.name}`;
}

/** The VM that a domain of this name is for: namespace/name. Undefined: no VM has such a domain. */
export function keyOfDomain(domain: string): string | undefined {
  const [, namespace, name] = /^([^_]+)_([^_]+)$/.exec(domain) ?? [];
  return namespace === undefined || name === undefined ? undefined : `${namespace}/${name}`;
}
