import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterEach, describe, expect, it, test } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../src/demo/currenttime.ts', import.meta.url));

let client: Client | null = null;
afterEach(async () => client?.close());

async function connect(mode: 'legacy' | 'auto'): Promise<Client> {
  client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [PROGRAM] }));
  return client;
}

async function ask(asked: Client, args: Record<string, unknown>) {
  const result = await asked.callTool({ name: 'current_time_by_timezone', arguments: args });
  const [content] = result.content as { type: string; text: string }[];
  return { isError: result.isError ?? false, text: content?.text ?? '' };
}

describe.each(['legacy', 'auto'] as const)('the bundled time server, for a client in mode %s', mode => {
  it('offers its one tool and tells the time with the offset of the zone', async () => {
    const asked = await connect(mode);
    const { tools } = await asked.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['current_time_by_timezone']);

    const { isError, text } = await ask(asked, { tz_name: 'Asia/Tokyo' });
    expect(isError).toBe(false);
    const [, iso = ''] = /^(\S+\+09:00) \(\w+, Asia\/Tokyo, UTC\+09:00\)$/.exec(text) ?? [];
    expect(Math.abs(Date.parse(iso) - Date.now())).toBeLessThan(60_000);
  });
});

describe('the bundled time server', () => {
  test.each([
    { args: {}, says: 'America/New_York', because: 'that is the default' },
    { args: { tz_name: ' UTC ' }, says: 'UTC+00:00', because: 'blanks do not matter' },
    { args: { tz_name: 'Asia/Kathmandu' }, says: '+05:45', because: 'offsets are not always whole hours' },
  ])('answers $args with $says: $because', async ({ args, says }) => {
    const { isError, text } = await ask(await connect('auto'), args);
    expect(isError).toBe(false);
    expect(text).toContain(says);
  });

  it('answers an unknown zone with an error that says what to give, and not with all of what it was given', async () => {
    const { isError, text } = await ask(await connect('auto'), { tz_name: `Mars/${'x'.repeat(5000)}` });
    expect(isError).toBe(true);
    expect(text).toContain('Europe/Paris');
    expect(text.length).toBeLessThan(300);
  });
});
