import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('finds every generated file as its source makes it now', () => {
  const check = () =>
    execFileSync(process.execPath, ['src/codegen/main.ts', '--check'], { encoding: 'utf8', stdio: 'pipe' });
  expect(check).not.toThrow();
});
