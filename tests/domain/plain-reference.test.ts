import { expect, test } from 'vitest';
import { isPlainReference } from '../../src/domain/plain-reference.ts';

test.each([
  ...['file:///dir/a.txt', 'test://item/..hidden', 'test://item/a..b', 'test://item/...', 'repo://owner%2Fname/x'],
  ...[
    'search://x?q=../a&r=a/../b',
    'doc://x#../y',
    'a name with spaces',
    'überschrift',
    'mailto:a.b@c',
    'note://a%0Ab',
    '',
  ],
])('%j means the same to everybody', text => expect(isPlainReference(text)).toBe(true));

test.each([
  ...['../x', 'a/../b', 'file:///public/../secret', 'file:///public/./x', 'file:///public/..', '..', 'x:..'],
  ...['%2e%2e/x', 'file:///a/%2E%2e/b', 'file:///a/.%2e/b', 'file:///a%2f..%2fb', 'file:///a%5C..%5Cb', '..%2fx'],
  ...['a\\b', '..\\x', 'a\0b', 'a%00b', 'a\r\nX-Injected: 1', 'a\tb', 'a\u007fb'],
])('%j may not', text => expect(isPlainReference(text)).toBe(false));
