import { globSync, readFileSync } from 'node:fs';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { beforeAll, describe, expect, it } from 'vitest';

/** What each room may import: other rooms, npm packages, Node's own modules. Changing it starts with an ADR. */
interface RoomRule {
  readonly rooms: readonly string[];
  readonly npm: readonly string[] | 'any';
  readonly node: boolean;
}

const ROOMS: Readonly<Record<string, RoomRule>> = {
  api: { rooms: [], npm: ['zod'], node: false },
  codegen: { rooms: ['api'], npm: 'any', node: true },
  core: { rooms: ['api'], npm: [], node: false },
  domain: { rooms: ['api'], npm: ['fast-xml-parser'], node: false },
  kube: { rooms: ['api'], npm: 'any', node: true },
  runtime: { rooms: ['api', 'kube'], npm: 'any', node: true },
  libvirt: { rooms: [], npm: 'any', node: true },
  host: { rooms: ['api'], npm: 'any', node: true },
  power: { rooms: ['api'], npm: 'any', node: true },
  controllers: { rooms: ['api', 'core', 'runtime', 'kube', 'power'], npm: 'any', node: true },
  agent: { rooms: ['api', 'core', 'domain', 'libvirt', 'host', 'kube', 'runtime'], npm: 'any', node: true },
  cli: { rooms: ['api', 'core', 'kube'], npm: 'any', node: true },
  bin: {
    rooms: ['api', 'core', 'domain', 'kube', 'runtime', 'libvirt', 'host', 'power', 'controllers', 'agent', 'cli'],
    npm: 'any',
    node: true,
  },
};

interface Import {
  readonly from: string;
  readonly to: string;
}

let imports: Import[] = [];

beforeAll(async () => {
  const { output } = await cruise(['src'], { parser: 'swc', tsPreCompilationDeps: true, doNotFollow: 'node_modules' });
  if (typeof output === 'string') throw new Error('dependency-cruiser returned a report where its data was asked for');
  imports = importsOf(output);
}, 60_000);

function importsOf({ modules }: ICruiseResult): Import[] {
  return modules
    .filter(({ source }) => source.startsWith('src/'))
    .flatMap(({ source, dependencies }) => dependencies.map(({ resolved }) => ({ from: source, to: resolved })));
}

function roomOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function packageOf(path: string): string | undefined {
  return /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
}

function refusal({ from, to }: Import): string | undefined {
  const room = roomOf(from);
  const rule = ROOMS[room ?? ''];
  if (room === undefined || rule === undefined) return `${from} is in no room of the import table`;
  const target = roomOf(to);
  if (target !== undefined) return target === room || rule.rooms.includes(target) ? undefined : `${from} imports ${to}`;
  const npm = packageOf(to);
  if (npm !== undefined)
    return rule.npm === 'any' || rule.npm.includes(npm) ? undefined : `${from} imports npm's ${npm}`;
  return rule.node ? undefined : `${from} imports Node's ${to}`;
}

describe('the rooms', () => {
  it('are all read', () => {
    const files = globSync('src/**/*.ts');
    const seen = new Set(imports.map(({ from }) => from));
    // A file without imports is rare and small; most must have been parsed.
    expect(seen.size).toBeGreaterThan(files.length * 0.7);
  });

  it('import only what the table allows', () => {
    expect(imports.flatMap((each) => refusal(each) ?? [])).toEqual([]);
  });
});

describe('pure rooms', () => {
  // Turning a given time into words is no look at the clock.
  const FORBIDDEN =
    /\b(?:new Date\(\)|Date\.now|Math\.random|async |await |process\.|setTimeout|setInterval|performance\.|globalThis)/;

  it.each(['src/core', 'src/domain'])('%s knows no clock, no chance and no waiting', (room) => {
    const files = globSync(`${room}/**/*.ts`);
    expect(files.length).toBeGreaterThan(0);
    const impure = files.flatMap((file) => {
      const found = FORBIDDEN.exec(codeOf(readFileSync(file, 'utf8')));
      return found === null ? [] : [`${file}: ${found[0]}`];
    });
    expect(impure).toEqual([]);
  });
});

/** Source without its comments. */
function codeOf(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/\/\/.*$/gm, '');
}
