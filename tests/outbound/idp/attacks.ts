/**
 * Every mutation of a good token by its name: the texts to show, and why each is refused (`ok`: it is not). Made with real
 * keys; where an attacker could have signed, it is signed.
 */
import type { Gate } from '../../support/gate-of-issuers.ts';
import { SAMPLE_HEADER, sampleClaims } from '../../support/gate-of-issuers.ts';
import {
  createEcKey,
  encode,
  type SigningKey,
  signInput,
  signToken,
  signWithSecret,
} from '../../support/token-issuer.ts';

export interface Attack {
  tokens: readonly string[];
  /** Word of the refusal, or `ok`. */
  is: string;
}

const BASE64_STANDARD = { '-': '+', _: '/' } as const;

/** What an attacker publishes at home. */
const attackers = createEcKey('evil');

export function makeAttacks(gate: Gate): Readonly<Record<string, Attack>> {
  const own = gate.keys.get('g-1') as SigningKey;
  const other = gate.keys.get('ok-1') as SigningKey;
  const claims = sampleClaims(gate.clock.wallMs());
  const now = Math.floor(gate.clock.wallMs() / 1000);

  const sign = (header: object, payload: unknown = claims, key = own, algorithm = 'ES256') =>
    signToken({ ...SAMPLE_HEADER, ...header }, payload, key.privateKey, algorithm);
  const withClaims = (...changes: object[]) => changes.map(change => sign({}, { ...claims, ...change }));
  const without = (name: string) => {
    const { [name]: _, ...rest } = claims;
    return [sign({}, rest)];
  };
  const withPayload = (text: string) => [sign({}, text)];
  const withHeaders = (...changes: object[]) => changes.map(change => sign(change));
  const [header, payload, signature] = sign({}).split('.') as [string, string, string];
  const raw = (name: string, value: string) => JSON.stringify({ ...claims, [name]: 'HOLE' }).replace('"HOLE"', value);
  const unsigned = (alg: unknown) => `${encode({ ...SAMPLE_HEADER, alg })}.${payload}.`;

  return {
    'alg-none': { tokens: [unsigned('none')], is: 'alg' },
    'alg-none-case': {
      tokens: ['nOnE', 'NONE', 'none '].flatMap(alg => [`${unsigned(alg)}AA`, sign({ alg })]),
      is: 'alg',
    },
    'alg-missing': { tokens: withHeaders({ alg: undefined }), is: 'alg' },
    'alg-confusion': {
      tokens: [
        own.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
        own.publicKey.export({ type: 'spki', format: 'der' }),
        JSON.stringify(own.jwk),
      ].map(secret => signWithSecret({ ...SAMPLE_HEADER, alg: 'HS256' }, claims, secret)),
      is: 'alg',
    },
    'alg-hs-config': {
      tokens: ['secret', '', 'changeme'].map(secret =>
        signWithSecret({ ...SAMPLE_HEADER, alg: 'HS256' }, claims, secret),
      ),
      is: 'alg',
    },
    'alg-list': { tokens: withHeaders({ alg: ['ES256'] }), is: 'alg' },
    'alg-downgrade': { tokens: [sign({ alg: 'RS256' }, claims, other, 'RS256')], is: 'alg' },
    psychic: { tokens: [`${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`], is: 'signature' },
    'sig-strip': { tokens: [`${header}.${payload}.`, `${header}.${payload}`], is: 'signature|form' },
    'sig-trailing': { tokens: [`${sign({})}=`, `${sign({})}==`, `${sign({})}.AAAA`], is: 'form' },
    'sig-other-key': {
      tokens: [sign({}, claims, createEcKey('x')), sign({}, claims, other, 'RS256')],
      is: 'signature',
    },
    'kid-path': { tokens: withHeaders({ kid: '../../../../dev/null' }), is: 'kid' },
    'kid-sql': { tokens: withHeaders({ kid: "x' UNION SELECT 'secret'-- " }), is: 'kid' },
    'kid-url': { tokens: withHeaders({ kid: 'http://127.0.0.1:9/k' }), is: 'kid' },
    'kid-proto': { tokens: withHeaders({ kid: '__proto__' }, { kid: 'constructor' }, { kid: 'toString' }), is: 'kid' },
    'kid-long': { tokens: withHeaders({ kid: 'k'.repeat(100_000) }, { kid: 'k'.repeat(600) }), is: 'form|kid' },
    jku: { tokens: [sign({ jku: `${gate.server.origin}/evil`, kid: 'evil' }, claims, attackers)], is: 'header' },
    x5u: { tokens: [sign({ x5u: 'https://attacker.test/x5u' }, claims, attackers)], is: 'header' },
    jwk: { tokens: [sign({ jwk: attackers.jwk }, claims, attackers)], is: 'header' },
    x5c: { tokens: [sign({ x5c: ['MIIB'] }, claims, attackers)], is: 'header' },
    crit: { tokens: withHeaders({ crit: ['exp2'], exp2: 1 }), is: 'header' },
    b64false: { tokens: withHeaders({ crit: ['b64'], b64: false }), is: 'header' },
    zip: { tokens: withHeaders({ zip: 'DEF' }, { zip: 'DEF', enc: 'A256GCM' }), is: 'header' },
    jwe: { tokens: [`${header}.AAAA.AAAA.AAAA.AAAA`], is: 'form' },
    nested: { tokens: withHeaders({ cty: 'JWT' }), is: 'header' },
    'exp-past': { tokens: withClaims({ exp: now - 61 }), is: 'expired' },
    'exp-missing': { tokens: without('exp'), is: 'time' },
    'exp-string': { tokens: withClaims({ exp: '9999999999' }), is: 'time' },
    'exp-neg': {
      tokens: [...withClaims({ exp: -1 }, { exp: 0.5 }), ...withPayload(raw('exp', '1e309'))],
      is: 'time|expired',
    },
    'nbf-future': { tokens: withClaims({ nbf: now + 61 }), is: 'not_yet' },
    'iat-future': { tokens: withClaims({ iat: now + 3600, exp: now + 3900 }), is: 'not_yet' },
    'exp-years': { tokens: withClaims({ exp: now + 10 * 365 * 86_400 }), is: 'lifetime' },
    'aud-wrong': { tokens: withClaims({ aud: 'https://other.example.test/mcp' }), is: 'audience' },
    'aud-prefix': { tokens: withClaims({ aud: 'https://gw.example.test.evil/mcp' }), is: 'audience' },
    'aud-sub': { tokens: withClaims({ aud: 'https://gw.example.test/mcp/../admin' }), is: 'audience' },
    'aud-case': { tokens: withClaims({ aud: 'HTTPS://GW.EXAMPLE.TEST/mcp' }), is: 'ok' },
    'aud-array-other': { tokens: withClaims({ aud: ['https://a.test', 'https://b.test'] }), is: 'audience' },
    'aud-missing': { tokens: without('aud'), is: 'audience' },
    'aud-empty': { tokens: withClaims({ aud: '' }, { aud: [] }), is: 'audience' },
    'aud-object': { tokens: withClaims({ aud: { 0: 'https://gw.example.test/mcp' } }), is: 'audience' },
    'aud-wildcard': { tokens: withClaims({ aud: '*' }), is: 'audience' },
    'iss-wrong': { tokens: withClaims({ iss: 'https://attacker.test' }), is: 'issuer' },
    'iss-slash': {
      // One slash more is another configured issuer here, two are nobody.
      tokens: withClaims({ iss: 'https://id.example.test/' }, { iss: 'https://id.example.test//' }),
      is: 'kid|issuer',
    },
    'iss-case': { tokens: withClaims({ iss: 'https://ID.EXAMPLE.TEST' }), is: 'issuer' },
    'iss-missing': { tokens: without('iss'), is: 'issuer' },
    'iss-cross': {
      tokens: [sign({ alg: 'ES256' }, { ...claims, iss: 'https://id.example.test/oauth2/default', uid: 'u' })],
      is: 'kid',
    },
    'iss-self': { tokens: withClaims({ iss: 'https://gw.example.test' }, { iss: 'mcp-auth-server' }), is: 'issuer' },
    'sub-missing': { tokens: without('sub'), is: 'subject' },
    'sub-empty': { tokens: withClaims({ sub: '' }), is: 'subject' },
    'sub-array': { tokens: withClaims({ sub: ['admin'] }), is: 'subject' },
    'sub-null': { tokens: withClaims({ sub: null }), is: 'subject' },
    'sub-nul': { tokens: withClaims({ sub: 'alice\u0000admin' }), is: 'subject' },
    'dup-key': {
      tokens: [
        ...withPayload(raw('sub', '"u-1","sub":"admin"')),
        ...withPayload(raw('sub', '"u-1","\\u0073ub":"admin"')),
        signInput(
          `${encode(JSON.stringify(SAMPLE_HEADER).replace('{', '{"alg":"none",'))}.${payload}`,
          own.privateKey,
          'ES256',
        ),
      ],
      is: 'form',
    },
    'typ-id': {
      tokens: withHeaders({ typ: 'JWT' }).concat(sign({}, { ...claims, nonce: 'n', at_hash: 'h' })),
      is: 'typ',
    },
    'typ-logout': { tokens: withHeaders({ typ: 'logout+jwt' }), is: 'typ' },
    'typ-state': {
      tokens: withHeaders({ typ: 'state+jwt' }, { typ: 'consent+jwt' }, { typ: 'session+jwt' }),
      is: 'typ',
    },
    'b64-std': {
      tokens: [
        `${header}.${payload}.${signature.replace(/[-_]/g, char => BASE64_STANDARD[char as '-' | '_'])}=`,
        `${header}.${Buffer.from(JSON.stringify({ ...claims, x: '???>>>' })).toString('base64')}.${signature}`,
      ],
      is: 'form',
    },
    ws: {
      tokens: [` ${sign({})}`, `${header}. ${payload}.${signature}`, `${header}.${payload}\n.${signature}`],
      is: 'form',
    },
    huge: { tokens: [sign({}, { ...claims, pad: 'x'.repeat(65_536) })], is: 'form' },
    deep: { tokens: withPayload(raw('x', '['.repeat(10_000) + ']'.repeat(10_000))), is: 'form' },
    'utf8-bad': {
      tokens: [
        signInput(
          `${header}.${Buffer.concat([Buffer.from('{"sub":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]).toString('base64url')}`,
          own.privateKey,
          'ES256',
        ),
      ],
      is: 'form',
    },
  };
}
