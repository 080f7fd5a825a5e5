import fc from 'fast-check';
import { expect, test } from 'vitest';
import { publishedName, readPublishedName } from '../../src/domain/published-name.ts';

test.each([
  { key: 'github', name: 'io.mcpgateway/github' },
  { key: 'my-own-server', name: 'io.mcpgateway/my-own-server' },
  { key: 'team/github', name: 'io.mcpgateway/team--github' },
  { key: 'team--github', name: 'io.mcpgateway/team-_-github' },
  { key: 'team-/github', name: 'io.mcpgateway/team-_--github' },
  { key: 'team/-github', name: 'io.mcpgateway/team---github' },
  { key: 'a-_b', name: 'io.mcpgateway/a-__b' },
  { key: 'a-', name: 'io.mcpgateway/a-' },
])('$key is published as $name', ({ key, name }) => {
  expect(publishedName(key)).toBe(name);
  expect(readPublishedName(name)).toBe(key);
});

test('no two paths come to one name, and each is found by its own', () => {
  const paths = fc.stringMatching(/^[a_-]{1,4}(?:\/[a_-]{1,4}){0,3}$/);
  fc.assert(
    fc.property(paths, paths, (one, other) => {
      expect(readPublishedName(publishedName(one))).toBe(one);
      expect(publishedName(one)).toMatch(/^io\.mcpgateway\/[a-zA-Z0-9._-]+$/);
      if (one !== other) expect(publishedName(one)).not.toBe(publishedName(other));
    }),
    { numRuns: 5_000 },
  );
});

test('slashes that are written as such are taken; names of others are not', () => {
  expect(readPublishedName('io.mcpgateway/team/github')).toBe('team/github');
  expect(readPublishedName('com.example/github')).toBeNull();
});
