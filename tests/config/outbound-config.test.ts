import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDesk, type Desk } from './desk.ts';

let desk: Desk;
beforeEach(() => {
  desk = createDesk();
});
afterEach(() => desk.remove());

describe('what may be called where somebody else wrote the URL', () => {
  test('is the public internet over https unless an operator says more', async () => {
    desk.write('cwd/gateway.config.yaml', 'servers: {}\n');
    expect((await desk.config()).outbound).toEqual({ allow: [], allowHttp: false });
    desk.write('cwd/gateway.config.yaml', 'outbound:\nservers: {}\n');
    expect((await desk.config()).outbound).toEqual({ allow: [], allowHttp: false });
  });

  test('is names, names below a name, addresses and ranges, with a port or without', async () => {
    const allow = ['localhost', '"*.Corp.Example"', '10.0.0.0/8', '"[fd00::5]:8443"', '"mcp.corp.example:9200"'];
    desk.write('cwd/gateway.config.yaml', `outbound: {allow: [${allow.join(', ')}], allowHttp: "true"}\n`);
    const { outbound } = await desk.config();
    expect(outbound.allowHttp).toBe(true);
    expect(
      outbound.allow.map(({ match, port }) => [match.kind, match.kind === 'name' ? match.name : '', port]),
    ).toEqual([
      ['name', 'localhost', null],
      ['name', 'corp.example', null],
      ['range', '', null],
      ['range', '', 8443],
      ['name', 'mcp.corp.example', 9200],
    ]);
  });

  test('may come from variables', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference, as operators write it
    desk.write('cwd/gateway.config.yaml', 'outbound: {allow: ["${MCP_HOST}"]}\n');
    expect((await desk.config({ MCP_HOST: '192.168.7.0/24' })).outbound.allow).toHaveLength(1);
  });

  test.each([
    { yaml: 'allow: [169.254.169.254]', path: 'outbound.allow[0]', says: 'is never allowed' },
    { yaml: 'allow: [localhost, 10.0.0.1/8]', path: 'outbound.allow[1]', says: 'must be zero' },
    { yaml: 'allow: ["https://localhost"]', path: 'outbound.allow[0]', says: 'is a URL' },
    { yaml: 'allow: [0.0.0.0/0]', path: 'outbound.allow[0]', says: 'every address' },
    { yaml: 'allow: [""]', path: 'outbound.allow[0]', says: 'is not a host name' },
    { yaml: 'allow: localhost', path: 'outbound.allow', says: 'must be a list' },
    { yaml: 'allowHttp: sometimes', path: 'outbound.allowHttp', says: 'must be true or false' },
  ])('a slip is told with its place: $yaml', async ({ yaml, path, says }) => {
    desk.write('cwd/gateway.config.yaml', `outbound: {${yaml}}\n`);
    expect(await desk.problems()).toEqual([expect.objectContaining({ path, message: expect.stringContaining(says) })]);
  });

  test('and an unknown key with what was meant', async () => {
    desk.write('cwd/gateway.config.yaml', 'outbound: {allows: [localhost]}\n');
    expect(await desk.problems()).toMatchObject([{ path: 'outbound.allows', hint: 'did you mean allow?' }]);
  });
});
