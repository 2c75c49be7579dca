import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { recipeHash, SCRIPTS, SCRIPTS_FOLDER } from '../../lab/guest/image/recipe.ts';

it('puts every script beside the recipe into the guest', () => {
  expect(SCRIPTS.map(({ source }) => source).sort()).toEqual(readdirSync(SCRIPTS_FOLDER).sort());
});

it('lets the guest start only scripts that it has', () => {
  const paths = new Set(SCRIPTS.map(({ path }) => `/${path}`));
  for (const { source } of SCRIPTS) {
    const text = readFileSync(join(SCRIPTS_FOLDER, source), 'utf8');
    for (const [path] of text.matchAll(/\/lib\/guest\/[a-z.-]+/g)) expect(paths, source).toContain(path);
  }
});

it('names the recipe the same every time', () => {
  expect(existsSync(SCRIPTS_FOLDER)).toBe(true);
  expect(recipeHash()).toMatch(/^[0-9a-f]{16}$/);
  expect(recipeHash()).toBe(recipeHash());
});
