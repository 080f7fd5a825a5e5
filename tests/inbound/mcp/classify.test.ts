import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { META } from '../../../src/domain/era.ts';
import type { Json, JsonObject } from '../../../src/domain/json.ts';
import {
  checkStandardHeaders,
  eraOf,
  isAcceptableLegacyHeader,
  type Message,
  readEnvelope,
  readMessage,
  withoutEnvelope,
} from '../../../src/inbound/mcp/classify.ts';

const MODERN = '2026-07-28';
const envelope = (more: JsonObject = {}): JsonObject => ({
  [META.protocolVersion]: MODERN,
  [META.clientCapabilities]: {},
  ...more,
});
const request = (more: JsonObject = {}): JsonObject => ({ jsonrpc: '2.0', id: 1, method: 'tools/list', ...more });

describe('reading a message', () => {
  test.each([
    { value: request(), kind: 'request', because: 'params may be absent' },
    { value: request({ id: 0 }), kind: 'request', because: 'zero is an id' },
    { value: request({ id: '' }), kind: 'request', because: 'an empty text is an id' },
    { value: request({ id: Number.MAX_SAFE_INTEGER }), kind: 'request', because: 'the largest number that survives' },
    { value: { jsonrpc: '2.0', method: 'notifications/initialized' }, kind: 'notification', because: 'no id' },
    { value: { jsonrpc: '2.0', id: 'a', result: {} }, kind: 'response', because: 'a result' },
    { value: { jsonrpc: '2.0', id: 1, error: { code: -1, message: 'no' } }, kind: 'response', because: 'an error' },
  ])('$kind: $because', ({ value, kind }) => expect(readMessage(value as Json).kind).toBe(kind));

  test.each([
    { value: null, id: null, code: 'INVALID_REQUEST', because: 'null is no message' },
    { value: 'x', id: null, code: 'INVALID_REQUEST', because: 'text is no message' },
    { value: [], id: null, code: 'INVALID_REQUEST', because: 'a batch inside a batch is none' },
    { value: { id: 1, method: 'x' }, id: 1, code: 'INVALID_REQUEST', because: 'no jsonrpc' },
    { value: { jsonrpc: '1.0', id: 1, method: 'x' }, id: 1, code: 'INVALID_REQUEST', because: 'another jsonrpc' },
    { value: request({ id: null }), id: null, code: 'INVALID_REQUEST', because: 'a null id answers nothing' },
    { value: request({ id: 1.5 }), id: null, code: 'INVALID_REQUEST', because: 'a fraction is no id' },
    {
      value: request({ id: 2 ** 53 + 2 }),
      id: null,
      code: 'INVALID_REQUEST',
      because: 'a number that lost digits cannot be echoed',
    },
    { value: request({ id: {} }), id: null, code: 'INVALID_REQUEST', because: 'an object is no id' },
    { value: request({ id: true }), id: null, code: 'INVALID_REQUEST', because: 'a boolean is no id' },
    { value: request({ params: [] }), id: 1, code: 'INVALID_PARAMS', because: 'MCP has no positional parameters' },
    { value: request({ params: null }), id: 1, code: 'INVALID_PARAMS', because: 'null is no object' },
    { value: request({ method: 5 }), id: 1, code: 'INVALID_REQUEST', because: 'a method is text' },
    { value: { jsonrpc: '2.0', id: 1 }, id: 1, code: 'INVALID_REQUEST', because: 'neither question nor answer' },
    {
      value: { jsonrpc: '2.0', id: 1, result: 'ok' },
      id: 1,
      code: 'INVALID_REQUEST',
      because: 'a result is an object',
    },
    {
      value: { jsonrpc: '2.0', id: 1, error: {} },
      id: 1,
      code: 'INVALID_REQUEST',
      because: 'an error has code and message',
    },
    { value: { jsonrpc: '2.0', result: {} }, id: null, code: 'INVALID_REQUEST', because: 'an answer to nothing' },
  ])('is refused with $code and the id it can be told under: $because', ({ value, id, code }) =>
    expect(readMessage(value as Json)).toMatchObject({ kind: 'refused', id, failure: { code } }),
  );

  test('never throws, whatever JSON comes, and never makes up an id', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          fc.dictionary(fc.constantFrom('jsonrpc', 'id', 'method', 'params', 'result', 'error'), fc.jsonValue()),
        ),
        value => {
          const read = readMessage(value as Json);
          const given =
            typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject).id : undefined;
          if (read.kind !== 'notification' && read.id !== null) expect(read.id).toBe(given);
        },
      ),
    );
  });

  test('keeps an id of 64 KB and one of lone surrogates as they are', () => {
    for (const id of ['x'.repeat(65_536), '\ud800', '\u0000'])
      expect(readMessage(request({ id }))).toMatchObject({ kind: 'request', id });
  });
});

describe('the era of a message', () => {
  const read = (value: JsonObject) => readMessage(value) as Message;
  test.each([
    {
      message: request({ params: { _meta: envelope() } }),
      header: MODERN,
      era: 'modern',
      because: 'the envelope says so',
    },
    {
      message: request({ params: { _meta: envelope() } }),
      header: undefined,
      era: 'modern',
      because: 'the envelope says so, the missing header is another matter',
    },
    {
      message: request({ params: { _meta: { [META.protocolVersion]: null } } }),
      header: undefined,
      era: 'modern',
      because: 'a broken claim is a claim',
    },
    { message: request({ method: 'initialize' }), header: undefined, era: 'legacy', because: 'a handshake' },
    {
      message: request({ method: 'initialize' }),
      header: MODERN,
      era: 'legacy',
      because: 'a handshake, whatever the header says',
    },
    { message: request(), header: undefined, era: 'legacy', because: 'no claim' },
    { message: request(), header: '2025-11-25', era: 'legacy', because: 'a legacy header' },
    {
      message: request(),
      header: MODERN,
      era: 'modern',
      because: 'answered as modern, so that the client learns what is missing',
    },
    {
      message: { jsonrpc: '2.0', id: 1, result: {} },
      header: MODERN,
      era: 'legacy',
      because: 'modern clients answer nothing',
    },
  ])('$era: $because', ({ message, header, era }) => expect(eraOf(read(message as JsonObject), header)).toBe(era));
});

describe('reading an envelope', () => {
  const read = (meta: JsonObject, header: string | null | undefined = MODERN) =>
    readEnvelope(7, { name: 't', _meta: meta }, header);

  test('takes out what belongs to this hop and leaves the rest', () => {
    const info = { name: 'c', version: '1' };
    const meta = envelope({
      [META.clientInfo]: info,
      [META.logLevel]: 'warning',
      progressToken: 'p',
      traceparent: '00-x',
      'x/y': { a: 1 },
    });
    expect(read(meta)).toEqual({
      kind: 'envelope',
      envelope: { revision: MODERN, clientCapabilities: {}, clientInfo: info, logLevel: 'warning' },
      params: { name: 't', _meta: { traceparent: '00-x', 'x/y': { a: 1 } } },
      progressToken: 'p',
    });
  });

  test('leaves no empty _meta behind', () => expect(read(envelope())).toMatchObject({ params: { name: 't' } }));

  test.each([
    { meta: envelope(), header: undefined, code: 'HEADER_MISMATCH', because: 'HTTP needs the header' },
    { meta: envelope(), header: '2025-11-25', code: 'HEADER_MISMATCH', because: 'the header says another version' },
    {
      meta: envelope({ [META.protocolVersion]: '2031-01-01' }),
      header: '2031-01-01',
      code: 'UNSUPPORTED_VERSION',
      because: 'nobody knows it',
    },
    {
      meta: envelope({ [META.protocolVersion]: '2025-11-25' }),
      header: '2025-11-25',
      code: 'UNSUPPORTED_VERSION',
      because: 'a legacy version has no envelopes',
    },
    {
      meta: envelope({ [META.protocolVersion]: 5 }),
      header: MODERN,
      code: 'INVALID_PARAMS',
      because: 'a version is text',
    },
    { meta: {}, header: MODERN, code: 'INVALID_PARAMS', because: 'a modern header without an envelope' },
    { meta: { [META.protocolVersion]: MODERN }, header: MODERN, code: 'INVALID_PARAMS', because: 'no capabilities' },
    {
      meta: envelope({ [META.clientCapabilities]: [] }),
      header: MODERN,
      code: 'INVALID_PARAMS',
      because: 'capabilities are an object',
    },
  ])('refuses with $code: $because', ({ meta, header, code }) => {
    // A default parameter would fill in for undefined.
    expect(readEnvelope(7, { _meta: meta as JsonObject }, header)).toMatchObject({
      kind: 'refused',
      id: 7,
      failure: { code },
    });
  });

  test('names the versions there are to who asked for another', () => {
    expect(read(envelope({ [META.protocolVersion]: '2031-01-01' }), '2031-01-01')).toMatchObject({
      failure: { data: { supported: [MODERN], requested: '2031-01-01' } },
    });
  });

  test('needs no header where there are none', () => expect(read(envelope(), null).kind).toBe('envelope'));

  test.each([META.clientInfo, META.logLevel])('does not fail for a broken %s: it is optional', key => {
    expect(read(envelope({ [key]: 5 }))).toMatchObject({ envelope: { clientInfo: null, logLevel: null } });
  });
});

describe('what is taken out of params', () => {
  test('is the envelope and nothing else', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }),
        fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), fc.jsonValue(), { noNullPrototype: true }),
        (params, meta) => {
          const given = { ...params, _meta: { ...meta, ...envelope(), progressToken: 1 } } as JsonObject;
          const { rest } = withoutEnvelope(given);
          const { progressToken, ...bare } = meta;
          const { _meta, ...others } = params;
          expect(rest).toEqual(Object.keys(bare).length > 0 ? { ...others, _meta: bare } : others);
        },
      ),
    );
  });

  test.each([
    { token: 'a', read: 'a' },
    { token: 7, read: 7 },
    { token: 1.5, read: 1.5 },
    { token: null, read: null },
    { token: {}, read: null },
  ])('as progress token $token', ({ token, read }) =>
    expect(withoutEnvelope({ _meta: { progressToken: token } }).progressToken).toBe(read),
  );

  test.each([{}, { _meta: 'x' }, { _meta: null }])('is nothing of %j', params =>
    expect(withoutEnvelope(params as JsonObject).rest).toBe(params),
  );
});

describe('the standard headers', () => {
  const name = (value: string) => `=?base64?${Buffer.from(value).toString('base64')}?=`;
  test.each([
    {
      headers: { 'mcp-method': 'tools/list' },
      method: 'tools/list',
      params: {},
      ok: true,
      because: 'lists have no name',
    },
    {
      headers: { 'mcp-method': ' tools/list ' },
      method: 'tools/list',
      params: {},
      ok: true,
      because: 'white space around is not the value',
    },
    {
      headers: { 'mcp-method': 'tools/call', 'mcp-name': 't' },
      method: 'tools/call',
      params: { name: 't' },
      ok: true,
      because: 'method and tool',
    },
    {
      headers: { 'mcp-method': 'tools/call', 'mcp-name': name('Tür') },
      method: 'tools/call',
      params: { name: 'Tür' },
      ok: true,
      because: 'encoded names count decoded',
    },
    {
      headers: { 'mcp-method': 'resources/read', 'mcp-name': 'x://1' },
      method: 'resources/read',
      params: { uri: 'x://1' },
      ok: true,
      because: 'a resource is named by its URI',
    },
    {
      headers: { 'mcp-method': 'tasks/get', 'mcp-name': '7' },
      method: 'tasks/get',
      params: { taskId: '7' },
      ok: true,
      because: 'a task by its id',
    },
    { headers: {}, method: 'tools/list', params: {}, ok: false, because: 'no method' },
    { headers: { 'mcp-method': 'Tools/List' }, method: 'tools/list', params: {}, ok: false, because: 'case counts' },
    {
      headers: { 'mcp-method': 'tools/list' },
      method: 'tools/call',
      params: { name: 't' },
      ok: false,
      because: 'another method',
    },
    {
      headers: { 'mcp-method': 'tools/call' },
      method: 'tools/call',
      params: { name: 't' },
      ok: false,
      because: 'no name',
    },
    {
      headers: { 'mcp-method': 'tools/call', 'mcp-name': 'safe' },
      method: 'tools/call',
      params: { name: 'admin' },
      ok: false,
      because: 'a proxy would have allowed another tool',
    },
    {
      headers: { 'mcp-method': 'tools/call', 'mcp-name': 'T' },
      method: 'tools/call',
      params: { name: 't' },
      ok: false,
      because: 'names tell case',
    },
    {
      headers: { 'mcp-method': 'tools/call', 'mcp-name': '=?base64?%%?=' },
      method: 'tools/call',
      params: { name: 't' },
      ok: false,
      because: 'broken encoding',
    },
    {
      headers: { 'mcp-method': 'tools/call', 'mcp-name': ['t', 't'] },
      method: 'tools/call',
      params: { name: 't' },
      ok: false,
      because: 'two headers',
    },
    {
      headers: { 'mcp-method': 'tools/call', 'mcp-name': '' },
      method: 'tools/call',
      params: {},
      ok: false,
      because: 'nothing is not a name',
    },
  ])('$method: $because', ({ headers, method, params, ok }) => {
    const no = checkStandardHeaders(headers as Record<string, string>, method, params as JsonObject);
    expect(no?.code ?? null).toBe(ok ? null : 'HEADER_MISMATCH');
  });
});

test.each([
  [undefined, true],
  ['2025-11-25', true],
  ['2024-11-05', true],
  ['2026-07-28', false],
  ['1999-01-01', false],
  ['', false],
])('the legacy version header %j is acceptable: %s', (value, ok) => expect(isAcceptableLegacyHeader(value)).toBe(ok));
