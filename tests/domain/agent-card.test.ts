import { describe, expect, it } from 'vitest';
import { type CardReading, readAgentCard } from '../../src/domain/agent-card.ts';
import type { JsonObject } from '../../src/domain/json.ts';

const SMALL: JsonObject = {
  protocol_version: '1.0',
  name: 'Code Reviewer',
  description: 'Reviews code for quality.',
  path: '/code-reviewer',
  url: 'https://agents.test/code-reviewer',
  skills: [{ id: 'review', name: 'Review', description: 'Reads code.', parameters: { code_text: { type: 'string' } } }],
  security: ['bearer'],
  tags: ['code', 'review', 'code'],
  visibility: 'public',
  trust_level: 'verified',
};

const FULL: JsonObject = {
  protocolVersion: '0.3.0',
  name: 'Planner',
  description: 'Plans journeys.',
  url: 'https://agents.test/planner',
  version: '2.1.0',
  capabilities: { streaming: true },
  defaultInputModes: ['text/plain', 'application/json'],
  provider: { organization: 'Example', url: 'https://example.test' },
  securitySchemes: {
    main_scheme: { type: 'openIdConnect', openIdConnectUrl: 'https://id.test/.well-known/openid-configuration' },
  },
  security: [{ main_scheme: ['read'] }],
  skills: [
    { id: 'plan', name: 'Plan', description: 'Plans.', tags: ['travel'], security: [{ main_scheme: [] }] },
    { id: 'book', name: 'Book', description: 'Books.', tags: [], inputModes: ['text/plain'] },
  ],
  metadata: { cost_center: 7 },
  'x-vendor': { any_thing: [1, null] },
};

function errorsOf(card: unknown): readonly string[] {
  const read = readAgentCard(card);
  return read.ok ? [] : read.errors;
}

function offerOf(card: unknown): (CardReading & { ok: true })['agent'] {
  const read = readAgentCard(card);
  if (!read.ok) throw new Error(read.errors.join('; '));
  return read.agent;
}

describe('a card that is good', () => {
  it('may be small and in snake_case, and is kept in the spelling of A2A', () => {
    const read = readAgentCard(SMALL);
    expect(read).toMatchObject({ ok: true, warnings: ['security.0 is not declared in securitySchemes'] });
    expect(offerOf(SMALL)).toEqual({
      path: '/code-reviewer',
      name: 'Code Reviewer',
      description: 'Reviews code for quality.',
      url: 'https://agents.test/code-reviewer',
      version: null,
      tags: ['code', 'review'],
      skills: [{ id: 'review', name: 'Review', description: 'Reads code.', tags: [] }],
      license: null,
      visibility: 'public',
      allowedGroups: [],
      trustLevel: 'verified',
      status: 'active',
      protocol: 'a2a',
      metadata: {},
      card: {
        protocolVersion: '1.0',
        name: 'Code Reviewer',
        description: 'Reviews code for quality.',
        url: 'https://agents.test/code-reviewer',
        skills: [
          { id: 'review', name: 'Review', description: 'Reads code.', parameters: { code_text: { type: 'string' } } },
        ],
        security: ['bearer'],
        defaultInputModes: ['text/plain'],
        defaultOutputModes: ['text/plain'],
        preferredTransport: 'JSONRPC',
      },
    });
  });

  it('keeps what nobody knows and every name that somebody chose', () => {
    const { card, metadata } = offerOf(FULL);
    expect(card).toEqual({ ...FULL, defaultOutputModes: ['text/plain'], preferredTransport: 'JSONRPC' });
    expect(metadata).toEqual({ cost_center: 7 });
  });

  it.each([
    { name: 'Code Reviewer', path: '/code-reviewer' },
    { name: '  Übersetzer (v2)  ', path: '/u-bersetzer-v2' },
    { name: 'x'.repeat(200), path: `/${'x'.repeat(64)}` },
  ])('without a path gets $path of its name', ({ name, path }) => {
    expect(offerOf({ ...FULL, name }).path).toBe(path);
  });

  it('takes tags as a list or separated by commas', () => {
    expect(offerOf({ ...FULL, tags: ' a, b,,a ' }).tags).toEqual(['a', 'b']);
  });

  it('is told what it says in vain, and what is unwise', () => {
    const read = readAgentCard({ ...FULL, numStars: 5, is_enabled: true, skills: [], url: 'http://agents.test/' });
    expect(read.ok && read.warnings).toEqual([
      'numStars is kept by the registry',
      'isEnabled is kept by the registry',
      'url is not encrypted: anybody on the way reads along',
      'skills is empty: nobody finds the agent by what it can do',
    ]);
    expect(read.ok && Object.keys(read.agent.card)).not.toContain('numStars');
  });
});

it.each([
  { change: { name: undefined }, error: 'name must be text' },
  { change: { name: ' ' }, error: 'name must not be empty' },
  { change: { description: 7 }, error: 'description must be text' },
  { change: { url: undefined }, error: 'url must be text' },
  { change: { url: 'ftp://agents.test/' }, error: /^url must be an http or https address/ },
  { change: { url: 'agents.test' }, error: /^url must be an http or https address/ },
  { change: { url: 'https://ada:pw@agents.test/' }, error: /without a user name/ },
  { change: { url: 'https:agents.test' }, error: /^url must be an http or https address/ },
  { change: { protocolVersion: '1' }, error: 'protocolVersion must be X.Y or X.Y.Z' },
  { change: { protocolVersion: '1.2.3.4' }, error: 'protocolVersion must be X.Y or X.Y.Z' },
  { change: { protocol_version: '1.0' }, error: 'protocolVersion is there in two spellings' },
  { change: { skills: {} }, error: 'skills must be a list' },
  { change: { skills: [{ id: 'a b', name: 'A', description: 'x' }] }, error: 'skills.0.id must not hold blanks' },
  { change: { skills: [{ id: 'a', name: 'A' }] }, error: 'skills.0.description must be text' },
  {
    change: { skills: [...(FULL.skills as JsonObject[]), { id: 'plan', name: 'A', description: 'x' }] },
    error: 'skills.2.id is that of another skill',
  },
  { change: { provider: { organization: 'Example' } }, error: 'provider.url must be text' },
  {
    change: { securitySchemes: { a: { type: 'magic' } } },
    error: /^securitySchemes.a.type must be one of apiKey, http/,
  },
  { change: { securitySchemes: {} }, error: 'security.0 names a scheme that securitySchemes does not declare' },
  {
    change: { securitySchemes: {} },
    error: 'skills.0.security.0 names a scheme that securitySchemes does not declare',
  },
  { change: { security: [{ constructor: [] }] }, error: /^security.0 names a scheme/ },
  { change: { visibility: 'internal' }, error: 'visibility must be one of public, private, group-restricted' },
  { change: { visibility: 'group-restricted' }, error: /^allowedGroups must name a group/ },
  { change: { trustLevel: 'supreme' }, error: /^trustLevel must be one of unverified/ },
  { change: { status: 'gone' }, error: /^status must be one of draft/ },
  { change: { path: '/mcp' }, error: /^path begins with "mcp"/ },
  { change: { path: 7 }, error: 'path must be text' },
  { change: { name: '旅' }, error: 'path is missing and cannot be made of the name' },
  { change: { iconUrl: 'javascript:alert(1)' }, error: /^iconUrl must be an http/ },
  { change: { metadata: [] }, error: 'metadata must be an object' },
])('refuses $change', ({ change, error }) => {
  const card = JSON.parse(JSON.stringify({ ...FULL, ...change }));
  const errors = errorsOf(card);
  expect(errors).toContainEqual(typeof error === 'string' ? error : expect.stringMatching(error));
});

it('says every mistake at once', () => {
  const errors = errorsOf({ name: '', skills: [{ id: 'a' }, { id: 'a' }], security: [{ x: [] }], path: '/api/x' });
  expect(errors.map(error => error.split(' ')[0])).toEqual([
    ...['name', 'description', 'url', 'skills.0.name', 'skills.0.description', 'skills.1.name', 'skills.1.description'],
    ...['path', 'skills.1.id', 'security.0'],
  ]);
});

it.each([null, [], 'card', 7, undefined])('refuses %j, which is no object', value => {
  expect(errorsOf(value)).toEqual(['the card must be an object']);
});

it('says a bounded number of mistakes', () => {
  const skills = Array.from({ length: 400 }, () => ({ id: 'a b' }));
  expect(errorsOf({ ...FULL, skills })).toHaveLength(100);
});
