import { PassThrough } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { createWelcome } from '../../src/cli/welcome.ts';
import { createDesk } from '../config/desk.ts';

const KEY = 'kq7Zt1vXw9Lr4Ns8Pd2Hf6Jb3Mc5Ty0GuEoIa';
const plain = (text: string) => text;
const PAINT = { bold: plain, dim: plain, green: plain, yellow: plain, red: plain };

const desk = createDesk();
afterAll(() => desk.remove());

test.each([
  { settings: {}, header: false, because: 'nothing is asked for' },
  { settings: { apiKey: KEY }, header: true, because: 'a key is asked for' },
  { settings: { identity: { keys: [{ name: 'ci', key: KEY }] } }, header: true, because: 'everybody has a key' },
  {
    settings: {
      identity: {
        publicUrl: 'https://gateway.example.com',
        keys: [{ name: 'ci', key: KEY }],
        issuers: [{ issuer: 'https://idp.example.com', audiences: 'gatehouse' }],
      },
    },
    header: false,
    because: 'clients get tokens by themselves',
  },
])('the lines to paste carry a header only where one has to be given: $because', async ({ settings, header }) => {
  desk.write('cwd/gateway.config.yaml', { servers: {}, ...settings });
  const lines: string[] = [];
  const output = {
    line: (text = '') => void lines.push(text),
    stream: new PassThrough(),
    isTerminal: false,
    paint: PAINT,
  };
  const welcome = createWelcome(output, await desk.config({}, { transport: 'http' }));
  welcome.listening('http://127.0.0.1:8000/mcp', '9.9.9');
  const pasted = lines.filter(line => /Claude Code|other clients/.test(line));
  expect(pasted.map(line => line.includes('GATEWAY_API_KEY'))).toEqual([header, header]);
});
