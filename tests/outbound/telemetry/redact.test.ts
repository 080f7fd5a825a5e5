import { describe, expect, test } from 'vitest';
import { redactFields, redactText } from '../../../src/outbound/telemetry/redact.ts';
import { CANARIES, SENTENCES, spellings } from './canaries.ts';

describe('secrets by their look', () => {
  const rows = Object.entries(SENTENCES).flatMap(([kind, sentences]) =>
    sentences.map(sentence => ({ kind: kind as keyof typeof CANARIES, sentence })),
  );
  test.each(rows)('$kind is masked in: $sentence', ({ kind, sentence }) => {
    const written = redactText(sentence);
    for (const spelling of spellings(CANARIES[kind])) expect(written).not.toContain(spelling);
    expect(written).toContain('[redacted]');
  });

  test.each(Object.entries(CANARIES).filter(([kind]) => kind !== 'password' && kind !== 'userInfo'))(
    'base64 and hex of %s are masked when they stand alone',
    (_kind, secret) => {
      for (const encoded of [Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex')]) {
        if (encoded.length < 32) continue;
        expect(redactText(`dump ${encoded} end`)).toBe('dump [redacted] end');
      }
    },
  );

  test.each([
    'tool github__create_pull_request_review_comment was called',
    'google_workspace__list_calendar_events_for_user_4f3a2b1c is listed',
    'request 0192f0c1-7b1e-7cc3-a1b2-4d5e6f708192 took 12 ms',
    '/home/demo/projects/gatehouse/node_modules/@modelcontextprotocol/server/dist/index.js',
    'connect ECONNREFUSED 127.0.0.1:8000',
    'spawn npx ENOENT, code=ENOENT',
    'https://gw.example/mcp answered 503',
    'io.modelcontextprotocol/protocolVersion is 2025-11-25',
    'listChangedNotificationHandlerRegistration',
  ])('leaves alone: %s', text => expect(redactText(text)).toBe(text));

  test('masking twice is masking once', () => {
    for (const sentence of Object.values(SENTENCES).flat()) {
      expect(redactText(redactText(sentence))).toBe(redactText(sentence));
    }
  });
});

describe('secrets by their name', () => {
  test.each([
    'authorization',
    'Authorization',
    'x-authorization',
    'proxy_authorization',
    'cookie',
    'set-cookie',
    'token',
    'access_token',
    'refreshToken',
    'client_secret',
    'password',
    'db_passwd',
    'api_key',
    'apiKey',
    'x-api-key',
    'code_verifier',
    'session_id',
  ])('a field named %s is written as [redacted]', name => {
    expect(redactFields({ [name]: 'abc' })).toEqual({ [name]: '[redacted]' });
    expect(redactFields({ [name]: ['abc'] })).toEqual({ [name]: '[redacted]' });
  });

  test('numbers and flags are no secrets, whatever their name', () => {
    const fields = { tokens: 12, has_token: true, cookie: null };
    expect(redactFields(fields)).toEqual(fields);
  });

  test('our own request id is kept as it is', () => {
    const request_id = Buffer.from(CANARIES.bearer).toString('hex').slice(0, 32);
    expect(redactFields({ request_id })).toEqual({ request_id });
    expect(redactFields({ other: request_id })).toEqual({ other: '[redacted]' });
  });
});

describe('bounds', () => {
  test('a megabyte is cut to 4 KB with a marker, in no time', () => {
    const written = redactText('x y '.repeat(250_000));
    expect(written.length).toBeLessThan(4_200);
    expect(written).toMatch(/… \[truncated, 1000000 characters\]$/);
  });

  test('a secret across the cut is not half written', () => {
    const text = `${'a '.repeat(2_040)}https://user:${'p'.repeat(200)}@host/`;
    expect(redactText(text)).not.toContain('ppp');
  });

  test('lists are bounded too', () => {
    const { names } = redactFields({ names: Array.from({ length: 1_000 }, (_, i) => `n${i}`) });
    expect(names).toHaveLength(65);
  });

  test('what is undefined is left out; what JSON cannot say is said in words', () => {
    expect(redactFields({ a: undefined, b: Number.NaN, c: Number.POSITIVE_INFINITY })).toEqual({
      b: 'NaN',
      c: 'Infinity',
    });
  });

  test.each(['time', 'level', 'msg'])('a field cannot shadow the %s of its line', name => {
    expect(redactFields({ [name]: 'fatal' })).toEqual({ [`${name}_`]: 'fatal' });
  });
});
