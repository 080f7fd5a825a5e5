/** Keys an operator writes: what is wrong with one is said with how to make a good one, and without the key. */
import { afterEach, beforeEach, expect, it, test } from 'vitest';
import { formatProblem } from '../../src/config/load.ts';
import { createDesk, type Desk } from './desk.ts';

const RECIPE = `make one with: node -e "console.log(crypto.randomBytes(32).toString('base64url'))"`;
const GOOD = 'kq7Zt1vXw9Lr4Ns8Pd2Hf6Jb3Mc5Ty0GuEoIa';

let desk: Desk;
beforeEach(() => {
  desk = createDesk();
});
afterEach(() => desk.remove());

const lines = async (text: string, env: Record<string, string> = {}) => {
  desk.write('cwd/gateway.config.yaml', `servers: {a: {command: x}}\n${text}\n`);
  return (await desk.problems(env)).map(formatProblem);
};

const WEAK = [
  { key: 'sesame', says: 'the key is shorter than 32 characters', because: 'it is too short' },
  { key: `change-me-${GOOD}`, says: 'the key looks like an example', because: 'it stands in documentation' },
  { key: `${GOOD} ${GOOD}`, says: 'the key holds spaces or characters', because: 'no header carries it' },
];

test.each(WEAK)('a key with a name is refused with the way to a good one where $because', async ({ key, says }) => {
  const found = await lines(`identity: {keys: [{name: ok, key: ${GOOD}}, {name: ci, key: "${key}"}]}`);
  expect(found).toEqual([expect.stringContaining(`gateway.config.yaml: identity.keys[1].key: ${says}`)]);
  expect(found[0]).toContain(`(${RECIPE})`);
  expect(found[0]).not.toContain(key);
});

test.each(WEAK)('so is the one key of a gateway that has no names for them, where $because', async ({ key, says }) => {
  const [found = '', ...more] = await lines('', { GATEWAY_API_KEY: key });
  expect(more).toEqual([]);
  for (const part of [`environment: GATEWAY_API_KEY: ${says}`, `(${RECIPE})`]) expect(found).toContain(part);
  expect(found).not.toContain(key);
});

it('says of keys whose variable is not set that it is not set, and does not call what stands there short or a twin', async () => {
  const keys = `identity: {keys: [{name: ci, key: "\${CI_KEY}"}, {name: cd, key: "\${CI_KEY}"}]}`;
  const found = await lines(keys);
  expect(found).toHaveLength(2);
  for (const line of found) expect(line).toContain('key: the environment variable CI_KEY is not set');
  expect(await lines(keys, { CI_KEY: GOOD })).toEqual([expect.stringContaining('is the key of another entry too')]);
});
