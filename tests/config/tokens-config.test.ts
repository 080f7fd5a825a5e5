import { describe, expect, it, test } from 'vitest';
import { TokensSection, toTokensConfig } from '../../src/config/tokens-config.ts';
import { createDesk } from './desk.ts';

const FROM = { folder: '/etc/gate', auditPath: '/var/log/gate/audit.jsonl', hasCallers: true };

describe('tokens of our own', () => {
  it('are given out where callers are told apart, ten an hour, with files beside the ledger', () => {
    expect(toTokensConfig(undefined, FROM)).toEqual({
      ...{ enabled: true, perHour: 10, maxHours: 24 },
      keyFile: '/var/log/gate/token-keys.json',
      revocationsFile: '/var/log/gate/token-revocations.json',
    });
    expect(toTokensConfig(undefined, { ...FROM, hasCallers: false }).enabled).toBe(false);
    expect(toTokensConfig({ enabled: true }, { ...FROM, hasCallers: false }).enabled).toBe(true);
  });

  it('have their files where they are told to, relative to the configuration', () => {
    expect(toTokensConfig({ keyFile: 'keys/own.json' }, FROM)).toMatchObject({
      ...{ keyFile: '/etc/gate/keys/own.json', revocationsFile: '/etc/gate/keys/token-revocations.json' },
    });
  });

  it.each([
    { section: { maxHours: 25 } },
    { section: { maxHours: 0 } },
    { section: { perHour: 0 } },
    { section: { keyFile: '' } },
    { section: { lifetime: '8h' } },
  ])('refuse $section', ({ section }) => expect(TokensSection.safeParse(section).success).toBe(false));
});

test('a slip in the section is told with what was meant', async () => {
  const desk = createDesk();
  desk.write('cwd/gateway.config.yaml', 'tokens: {perHours: 5}\n');
  expect(await desk.problems()).toMatchObject([{ path: 'tokens.perHours', hint: expect.stringContaining('perHour') }]);
  desk.remove();
});
