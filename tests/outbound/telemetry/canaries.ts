/** Twelve secrets in the shapes in which secrets travel. Made up here; none was ever valid anywhere. */
import { createHash } from 'node:crypto';

const random = (seed: string, bytes = 24) => createHash('sha512').update(seed).digest().subarray(0, bytes);
const base64url = (seed: string, bytes?: number) => random(seed, bytes).toString('base64url');

export const CANARIES = {
  bearer: base64url('bearer'),
  jwt: `eyJ${base64url('head', 20)}.eyJ${base64url('body', 40)}.${base64url('signature', 32)}`,
  refresh: base64url('refresh', 33),
  clientSecret: base64url('client', 30),
  vaultKey: random('vault', 32).toString('base64'),
  cookie: base64url('cookie', 24),
  code: base64url('code', 18),
  verifier: base64url('verifier', 32),
  password: 'correct-horse-battery',
  apiKey: 'sk-proj0123456789abcdefABCDEF',
  pem: 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7',
  userInfo: 'hunter2hunter2',
  queryToken: base64url('query', 15),
};

/** A sentence around each, as a library or a downstream would write it. */
export const SENTENCES: Record<keyof typeof CANARIES, string[]> = {
  bearer: [`Authorization: Bearer ${CANARIES.bearer}`, `sent "Bearer ${CANARIES.bearer}" and got 401`],
  jwt: [`token ${CANARIES.jwt} has expired`, `jwt=${CANARIES.jwt}`],
  refresh: [`{"refresh_token":"${CANARIES.refresh}"}`, `grant_type=refresh_token&refresh_token=${CANARIES.refresh}`],
  clientSecret: [`client_secret=${CANARIES.clientSecret}`, `{\\"client_secret\\": \\"${CANARIES.clientSecret}\\"}`],
  vaultKey: [`key ${CANARIES.vaultKey} rejected`, `VAULT_KEY='${CANARIES.vaultKey}'`],
  cookie: [`Cookie: sid=${CANARIES.cookie}; theme=dark`, `set-cookie: sid=${CANARIES.cookie}; HttpOnly`],
  code: [`POST /token code=${CANARIES.code}&grant_type=x`, `https://gw.example/callback?code=${CANARIES.code}`],
  verifier: [`code_verifier=${CANARIES.verifier}`, `verifier ${CANARIES.verifier} does not match`],
  password: [
    `password: ${CANARIES.password}`,
    `{"passwd":"${CANARIES.password}"}`,
    `PGPASSWORD=${CANARIES.password} psql`,
  ],
  apiKey: [`x-api-key: ${CANARIES.apiKey}`, `Incorrect API key provided: ${CANARIES.apiKey}.`],
  pem: [
    `-----BEGIN PRIVATE KEY-----\n${CANARIES.pem}\nab12\n-----END PRIVATE KEY-----`,
    `-----BEGIN RSA PRIVATE KEY-----\\n${CANARIES.pem}`,
  ],
  userInfo: [
    `postgres://admin:${CANARIES.userInfo}@db.example:5432/x`,
    `https://u:${CANARIES.userInfo}@host/path failed`,
  ],
  queryToken: [`GET /sse?token=${CANARIES.queryToken} 404`, `wss://gw.example/ws?a=1&access=${CANARIES.queryToken}#x`],
};

/** Every spelling under which a secret could hide in an output. */
export function spellings(secret: string): string[] {
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    Buffer.from(secret).toString('base64url'),
    Buffer.from(secret).toString('hex'),
  ];
}
