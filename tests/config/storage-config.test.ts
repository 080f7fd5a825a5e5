import { describe, expect, it, onTestFinished } from 'vitest';
import { StorageSection, toStorageConfig } from '../../src/config/storage-config.ts';
import { createDesk } from './desk.ts';

const FROM = { variable: undefined, folder: '/etc/gate', auditPath: '/var/log/gate/audit.jsonl' };

describe('the place of the registry', () => {
  it('is a file beside the ledger, unless something else is said', () => {
    expect(toStorageConfig(undefined, FROM)).toEqual({
      backend: 'sqlite',
      path: '/var/log/gate/registry.db',
      namespace: 'default',
    });
  });

  it.each([
    { section: { path: 'state/r.db' }, path: '/etc/gate/state/r.db', because: 'the configuration is there' },
    { section: { path: '/data/r.db' }, path: '/data/r.db', because: 'it is absolute' },
  ])('is $path, because $because', ({ section, path }) => {
    expect(toStorageConfig(section, FROM).path).toBe(path);
  });

  it.each([
    { section: { backend: 'redis' } },
    { section: { path: '' } },
    { section: { namespace: '' } },
    { section: { namespace: 'a b' } },
    { section: { namespace: '../other' } },
    { section: { space: 'x' } },
  ])('is not $section', ({ section }) => expect(StorageSection.safeParse(section).success).toBe(false));
});

describe('loaded with everything else', () => {
  const open = (yaml: string, env: Record<string, string> = {}) => {
    const desk = createDesk();
    onTestFinished(() => desk.remove());
    desk.write('cwd/gateway.config.yaml', yaml);
    return desk.load(env);
  };

  it('is what the variable says, whatever the file says, and tells what will be lost', async () => {
    const loaded = await open('storage: {backend: sqlite, namespace: team-a}\n', { STORAGE_BACKEND: 'Memory' });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    expect(loaded.config.storage).toMatchObject({ backend: 'memory', namespace: 'team-a' });
    expect(loaded.warnings).toContainEqual(expect.stringContaining('kept in memory'));
    expect(loaded.warnings).not.toContainEqual(expect.stringContaining('STORAGE_BACKEND'));
  });

  it('says what may be written where something else is', async () => {
    const unknown = await open('storage: {backend: sqlite}\n', { STORAGE_BACKEND: 'mongodb' });
    expect(unknown).toMatchObject({
      ok: false,
      problems: [{ file: 'environment', path: 'STORAGE_BACKEND', message: 'must be one of sqlite, memory' }],
    });
    const misspelt = await open('storage: {namespace: "a b", backends: memory}\n');
    expect(misspelt.ok).toBe(false);
    const problems = misspelt.ok ? [] : misspelt.problems;
    expect(problems.map(({ path }) => path).sort()).toEqual(['storage.backends', 'storage.namespace']);
    expect(problems.find(({ path }) => path === 'storage.backends')?.hint).toContain('backend');
  });
});
