/** What does `make test` run, and in which order? What fails soon and cheaply comes first. */
export type Step =
  | { readonly kind: 'check'; readonly name: string; readonly command: readonly [string, ...string[]] }
  | { readonly kind: 'suite'; readonly name: string };

/** Seconds each, and all of them run: one look shows everything that is wrong. */
export const CHEAP: readonly Step[] = [
  { kind: 'check', name: 'lint', command: ['biome', 'check', '.'] },
  { kind: 'check', name: 'typecheck', command: ['tsc', '--noEmit'] },
  { kind: 'check', name: 'verify', command: ['node', 'src/codegen/main.ts', '--check'] },
  { kind: 'suite', name: 'unit' },
  { kind: 'suite', name: 'architecture' },
  { kind: 'suite', name: 'simulation' },
];

/** Minutes each, on real servers, and only after everything cheap has passed. */
export const ON_REAL_PARTS: readonly Step[] = [
  { kind: 'suite', name: 'integration' },
  { kind: 'suite', name: 'e2e' },
  { kind: 'suite', name: 'chaos' },
];
