import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { toLocalPath } from '../../src/domain/local-path.ts';

test.each(['/', '/ui', '/ui/', '/ui/servers?tab=tools', '/ui/servers/7#tools', '/ui/a%20b', '/ui/v1.2/x', '/?tab=a'])(
  'goes on to %s',
  next => expect(toLocalPath(next)).toBe(next),
);

test.each([
  { next: undefined, because: 'nothing was asked for' },
  { next: '', because: 'nothing was asked for' },
  { next: 'ui', because: 'it is relative' },
  { next: '//ui', because: 'it is a host' },
  { next: '/\\ui', because: 'browsers take it for a host' },
  { next: '/ui//x', because: 'it holds an empty step' },
  { next: '/ui/../mcp', because: 'it goes up' },
  { next: '/ui/.', because: 'it goes nowhere' },
  { next: '/ui/%2e%2e', because: 'it goes up in disguise' },
  { next: '/ui/%2fx', because: 'it hides a slash' },
  { next: '/ui/a\n', because: 'it would be another header' },
  { next: '/ui/a\r\nSet-Cookie:a=b', because: 'it would be another header' },
  { next: '/login', because: 'it would come back here' },
  { next: '/api/tokens/generate', because: 'it is no page' },
  { next: `/ui/${'a'.repeat(2000)}`, because: 'nobody writes such links' },
  { next: '/ui?next=//evil.example', because: 'another page may believe what it holds' },
])('goes to the first page, because $because', ({ next }) => expect(toLocalPath(next)).toBe('/'));

const CORPUS = fileURLToPath(new URL('../../../shared/corpus/security/open-redirects.jsonl', import.meta.url));

test.skipIf(!existsSync(CORPUS))('every known trick ends at the first page, and no page of ours does', () => {
  const rows = readFileSync(CORPUS, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as { id: string; kind: string; description: string });
  expect(rows.length).toBeGreaterThan(500);
  const wrong = rows.filter(
    ({ kind, description }) => toLocalPath(description) !== (kind === 'benign' ? description : '/'),
  );
  expect(wrong.map(({ id }) => id)).toEqual([]);
});
