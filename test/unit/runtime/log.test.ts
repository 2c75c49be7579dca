import { describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/runtime/index.ts';

// Unsigned, made up for this test.
const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.c2lnbmF0dXJl';

function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  write(createLogger({ name: 'test', level: 'debug', destination: { write: (line) => void lines.push(line) } }));
  expect(lines).toHaveLength(1);
  return lines.join('');
}

describe('the log', () => {
  it('is one JSON object per line with level, time, name and fields', () => {
    const line = JSON.parse(logged((log) => log.child({ key: 'ns/a' }).info({ hosts: 3 }, 'placed')));
    expect(line).toMatchObject({ level: 'info', name: 'test', key: 'ns/a', hosts: 3, msg: 'placed' });
    expect(new Date(line.time).getTime()).not.toBeNaN();
  });

  it.each([
    ['a field by its name', { user: { token: 'hunter2' } }],
    ['a field deep inside', { a: [{ b: { clientKeyPem: 'hunter2' } }] }],
    ['a header', { headers: { Authorization: 'hunter2' } }],
    ['cloud-init user data', { cloudInit: { userData: 'hunter2' } }],
    ['the data of a Secret', { object: { kind: 'Secret', data: { a: 'hunter2' } } }],
    ['bytes', { key: Buffer.from('hunter2') }],
  ])('hides %s', (_what, fields) => {
    const line = logged((log) => log.info(fields, 'message'));
    expect(line).not.toContain('hunter2');
    expect(line).not.toContain(Buffer.from('hunter2').toJSON().data.join(','));
  });

  it('hides tokens inside text: messages, errors and their causes', () => {
    expect(logged((log) => log.info(`got ${jwt} from the file`))).not.toContain(jwt);
    const error = new Error('refused', { cause: new Error(`header Authorization: Bearer ${jwt}`) });
    const line = logged((log) => log.error({ err: error }, 'call failed'));
    expect(line).not.toContain(jwt);
    expect(line).toContain('[redacted]');
    expect(logged((log) => log.info('Bearer abcdefghijkl'))).toContain('Bearer [redacted]');
  });

  it('shows what only looks like a secret', () => {
    const line = logged((log) =>
      log.info({ secretName: 'web-data', key: 'ns/a', object: { kind: 'ConfigMap', data: { a: 'b' } } }, 'm'),
    );
    expect(JSON.parse(line)).toMatchObject({ secretName: 'web-data', key: 'ns/a', object: { data: { a: 'b' } } });
  });

  it('survives objects that contain themselves', () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    expect(logged((log) => log.info({ loop }, 'm'))).toContain('[too deep]');
  });
});
