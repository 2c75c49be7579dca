import { CPU_LEVELS, MAX_CPU_FEATURES } from '../../api/common/cpu-levels.ts';
import type { HostStatus } from '../../api/host.ts';
import { renderXml } from '../../domain/index.ts';
import { childNamed, childrenNamed, element, type XmlElement } from '../../domain/xml/element.ts';
import { parseXml } from '../../domain/xml/parse.ts';
import { BaselineCpu, isLibvirtError, type Libvirt } from '../../libvirt/index.ts';

/** What CPU a guest can be given on this host. */
export type GuestCpuFacts = Pick<NonNullable<HostStatus['cpu']>, 'usableModels' | 'features' | 'unusableLevels'>;

/** What the schema allows. */
const MAX_MODELS = 512;
const TIMEOUT_MS = 10_000;

/** Asks libvirt what CPU a guest can be given, and asks about each model only when its answer to that has changed. */
export class GuestCpus {
  readonly #libvirt: Pick<Libvirt, 'call'>;
  readonly #target: { readonly virtType: 'kvm' | 'qemu'; readonly arch: string };
  #known: { readonly capabilities: string; readonly facts: GuestCpuFacts } | undefined;

  #firstLook: Promise<GuestCpuFacts> | undefined;

  constructor(libvirt: Pick<Libvirt, 'call'>, virtualization: 'kvm' | 'qemu') {
    this.#libvirt = libvirt;
    this.#target = { virtType: virtualization, arch: 'x86_64' };
  }

  /** @throws LibvirtError, LibvirtTransportError */
  async look(signal?: AbortSignal): Promise<GuestCpuFacts> {
    const options = { timeoutMs: TIMEOUT_MS, ...(signal && { signal }) };
    const { capabilities } = await this.#libvirt.call('connectGetDomainCapabilities', this.#target, options);
    if (this.#known?.capabilities === capabilities) return this.#known.facts;
    const facts = await this.#expand(cpuModes(capabilities), signal);
    this.#known = { capabilities, facts };
    return facts;
  }

  /** The features that were read last; read now when they never were. @throws LibvirtError, LibvirtTransportError */
  async features(): Promise<readonly string[]> {
    if (this.#known !== undefined) return this.#known.facts.features;
    // Many VMs may start at once when the agent has just begun: they ask together.
    this.#firstLook ??= this.look().finally(() => {
      this.#firstLook = undefined;
    });
    return (await this.#firstLook).features;
  }

  async #expand({ hostModel, models }: CpuModes, signal: AbortSignal | undefined): Promise<GuestCpuFacts> {
    const options = { timeoutMs: TIMEOUT_MS, ...(signal && { signal }) };
    const flags = BaselineCpu.EXPAND_FEATURES;
    const features =
      hostModel === undefined
        ? []
        : await featuresIn(async () => {
            const xmlCpus = [renderXml(element('cpu', { mode: 'custom', match: 'exact' }, hostModel))];
            return await this.#libvirt.call(
              'connectBaselineHypervisorCpu',
              { ...this.#target, xmlCpus, flags },
              options,
            );
          });
    const has = new Set(features);
    const unusable = CPU_LEVELS.filter(({ name }) => models.get(name) === false);
    const unusableLevels = unusable.map(async ({ name }) => {
      const ofModel = [element('arch', {}, this.#target.arch), element('model', {}, name)];
      // Not the call above: asked for what the host lacks, it may answer with an older model.
      const needed = await featuresIn(async () => {
        const xmlCpus = [renderXml(element('cpu', {}, ofModel))];
        return await this.#libvirt.call('connectBaselineCpu', { xmlCpus, flags }, options);
      });
      return { name, missingFeatures: has.size === 0 ? [] : needed.filter((feature) => !has.has(feature)) };
    });
    return {
      usableModels: [...models]
        .flatMap(([name, isUsable]) => (isUsable ? [name] : []))
        .toSorted()
        .slice(0, MAX_MODELS),
      features,
      unusableLevels: (await Promise.all(unusableLevels)).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    };
  }
}

/** The features of the CPU that libvirt answers with, sorted; none for one that it will not expand. */
async function featuresIn(ask: () => Promise<{ readonly cpu: string }>): Promise<string[]> {
  try {
    const { cpu } = await ask();
    const names = childrenNamed(parseXml(cpu), 'feature').flatMap(({ attributes }) =>
      attributes['policy'] === 'require' ? (attributes['name'] ?? []) : [],
    );
    return [...new Set(names)].toSorted().slice(0, MAX_CPU_FEATURES);
  } catch (error) {
    // A host without these figures can be used all the same.
    if (isLibvirtError(error)) return [];
    throw error;
  }
}

interface CpuModes {
  /** What makes up the host's own CPU as guests see it. Undefined: libvirt has no such CPU. */
  readonly hostModel: readonly XmlElement[] | undefined;
  /** libvirt's models, and whether a guest can be given each. */
  readonly models: ReadonlyMap<string, boolean>;
}

/** @throws XmlSyntaxError */
export function cpuModes(domainCapabilitiesXml: string): CpuModes {
  const modes = childNamed(parseXml(domainCapabilitiesXml), 'cpu')?.children ?? [];
  const mode = (wanted: string) =>
    modes.find(({ name, attributes }) => name === 'mode' && attributes['name'] === wanted);
  const hostModel = mode('host-model');
  return {
    hostModel: hostModel?.attributes['supported'] === 'yes' ? hostModel.children : undefined,
    models: new Map(
      childrenNamed(mode('custom'), 'model').map(({ text, attributes }) => [text, attributes['usable'] === 'yes']),
    ),
  };
}
