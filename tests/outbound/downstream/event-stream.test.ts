import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createEventStreamReader, type StreamEvent } from '../../../src/outbound/downstream/event-stream.ts';

function read(chunks: readonly (string | Buffer)[], limit = 10_000) {
  const events: { type: string; data: string; id: string | null }[] = [];
  const reader = createEventStreamReader(limit, null, (event: StreamEvent) => {
    events.push({ type: event.type, data: event.data.toString(), id: event.id });
  });
  const isWhole = chunks.map(chunk => reader.push(Buffer.from(chunk as string))).every(Boolean);
  return { events, reader, isWhole };
}

const message = (data: string, id: string | null = null) => ({ type: 'message', data, id });

describe('server-sent events', () => {
  test.each<{ because: string; text: string; events: ReturnType<typeof message>[] }>([
    { because: 'one line, one event', text: 'data: a\n\n', events: [message('a')] },
    {
      because: 'CRLF and CR end lines as well',
      text: 'data: a\r\n\r\ndata: b\r\r',
      events: [message('a'), message('b')],
    },
    { because: 'data lines are joined by LF', text: 'data: a\ndata:b\ndata\n\n', events: [message('a\nb\n')] },
    { because: 'one blank after the colon is not data, a second is', text: 'data:  a \n\n', events: [message(' a ')] },
    {
      because: 'comments and unknown fields are nothing',
      text: ': hi\nfoo: bar\nfoolish-long-name: 1\ndata: a\n\n',
      events: [message('a')],
    },
    { because: 'an event without an end never was', text: 'data: a\n', events: [] },
    {
      because: 'a type is for one event',
      text: 'event: endpoint\ndata: /x\n\ndata: a\n\n',
      events: [{ type: 'endpoint', data: '/x', id: null }, message('a')],
    },
    { because: 'an id stays', text: 'id: 7\ndata: a\n\ndata: b\n\n', events: [message('a', '7'), message('b', '7')] },
    {
      because: 'a priming event has an id and no data',
      text: 'id: 7\nretry: 5\ndata: \n\n',
      events: [message('', '7')],
    },
    { because: 'an id with NUL is ignored', text: 'id: a\0b\ndata: a\n\n', events: [message('a')] },
    { because: 'a byte order mark is not part of the first field', text: '\uFEFFdata: a\n\n', events: [message('a')] },
    { because: 'empty lines alone are nothing', text: '\n\n\n\r\n', events: [] },
  ])('$because', ({ text, events }) => {
    expect(read([text]).events).toEqual(events);
  });

  test('mean the same however the bytes are cut', () => {
    const line = fc.constantFrom(
      'data: é{"a":1}',
      'data',
      'data:',
      'id: 1',
      'event: x',
      ': c',
      '',
      'retry: 9',
      'data: 😀',
    );
    const end = fc.constantFrom('\n', '\r\n', '\r');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, end), { maxLength: 20 }),
        fc.array(fc.nat(60), { maxLength: 12 }),
        (lines, cuts) => {
          const bytes = Buffer.from(lines.map(([text, stop]) => text + stop).join(''));
          const chunks: Buffer[] = [];
          let at = 0;
          for (const cut of cuts) {
            chunks.push(bytes.subarray(at, at + cut));
            at += cut;
          }
          chunks.push(bytes.subarray(at));
          expect(read(chunks).events).toEqual(read([bytes]).events);
        },
      ),
    );
  });

  test('are bounded: a line without an end, and many lines of one event', () => {
    expect(read(['data: ', 'x'.repeat(600), 'x'.repeat(600)], 1000).isWhole).toBe(false);
    expect(
      read(
        Array.from({ length: 100 }, () => `data: ${'x'.repeat(50)}\n`),
        1000,
      ).isWhole,
    ).toBe(false);
    expect(read([`data: ${'x'.repeat(990)}\n\n`, `data: ${'x'.repeat(990)}\n\n`], 1000)).toMatchObject({
      isWhole: true,
    });
  });

  test('keep the wish for a wait and the last id for the next connection', () => {
    const { reader } = read(['retry: 1500\nid: a\ndata: x\n\n', 'retry: soon\n', 'id: b\n\n']);
    expect(reader.retryMs).toBe(1500);
    expect(reader.lastId).toBe('b');
  });
});
