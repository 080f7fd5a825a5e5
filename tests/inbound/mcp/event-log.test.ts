import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventLog } from '../../../src/inbound/mcp/event-log.ts';

describe('an event log', () => {
  test('replays exactly what followed an event on its stream, or says that it is lost', () => {
    const step = fc.record({ stream: fc.nat(4), size: fc.nat(40), open: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 20, max: 400 }),
        (steps, maxEvents, maxBytes) => {
          const log = new EventLog(maxEvents, maxBytes);
          const streams: { id: string; sent: { id: string; data: string }[] }[] = [];
          const seen = new Set<string>();
          steps.forEach(({ stream, size, open }, n) => {
            if (open || streams.length === 0) streams.push({ id: log.openStream(), sent: [] });
            const chosen = streams[stream % streams.length];
            if (chosen === undefined) return;
            const data = `${n}:${'x'.repeat(size)}`;
            const id = log.append(chosen.id, data);
            expect(seen.has(id)).toBe(false);
            seen.add(id);
            chosen.sent.push({ id, data });
            for (const { id: name, sent } of streams) {
              sent.forEach((event, at) => {
                const replayed = log.since(event.id);
                if (replayed === null) return;
                expect(replayed.stream).toBe(name);
                expect(replayed.events.map(one => one.data)).toEqual(sent.slice(at + 1).map(one => one.data));
              });
            }
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('keeps everything inside its bounds', () => {
    const log = new EventLog(5, 1_000);
    const stream = log.openStream();
    const ids = Array.from({ length: 5 }, (_, n) => log.append(stream, `e${n}`));
    expect(log.since(ids[0] ?? '')?.events.map(({ data }) => data)).toEqual(['e1', 'e2', 'e3', 'e4']);
    expect(log.since(ids[4] ?? '')?.events).toEqual([]);
  });

  test('throws away the oldest by number and by size, and then knows no way back to before it', () => {
    const byCount = new EventLog(2, 1_000);
    const stream = byCount.openStream();
    const ids = ['a', 'b', 'c', 'd'].map(data => byCount.append(stream, data));
    expect(ids.map(id => byCount.since(id)?.events.length ?? null)).toEqual([null, 2, 1, 0]);
    const bySize = new EventLog(100, 10);
    const other = bySize.openStream();
    const large = ['12345678', '1234', '12345'].map(data => bySize.append(other, data));
    expect(large.map(id => bySize.since(id)?.events.length ?? null)).toEqual([2, 1, 0]);
  });

  test('tells streams apart: what was sent on one is never replayed on another', () => {
    const log = new EventLog(10, 1_000);
    const [one, two] = [log.openStream(), log.openStream()];
    const first = log.append(one, 'one');
    log.append(two, 'two');
    log.append(one, 'one more');
    expect(log.since(first)).toMatchObject({ stream: one, events: [{ data: 'one more' }] });
  });

  test.each(['', '.', 'x', 'x.1', 'null.1', '__proto__.1'])('has lost %j: it never gave that id', id => {
    const log = new EventLog(10, 1_000);
    log.append(log.openStream(), 'a');
    expect(log.since(id)).toBeNull();
  });

  test.each(['', ' ', '0x1', '1e0', '-1', '1.0', '99', ' 1', '+1'])('takes no number but its own: %j', number => {
    const log = new EventLog(10, 1_000);
    const stream = log.openStream();
    log.append(stream, 'a');
    expect(log.since(`${stream}.${number}`)).toBeNull();
  });

  test('gives ids that say nothing and cannot be guessed', () => {
    const streams = new Set(Array.from({ length: 100 }, () => new EventLog(10, 10).openStream()));
    expect(streams.size).toBe(100);
    for (const stream of streams) expect(stream).toMatch(/^[\w-]{12}$/);
  });

  test('forgets old streams of answers, but not the standing one, however quiet it was', () => {
    const log = new EventLog(10, 10_000);
    const standing = log.openStream(true);
    const id = log.append(standing, '');
    for (let n = 0; n < 50; n++) log.openStream();
    expect(log.since(id)).toEqual({ stream: standing, events: [] });
    log.append(standing, 'news');
    expect(log.since(id)?.events.map(({ data }) => data)).toEqual(['news']);
  });

  test('does not grow with streams nobody writes to', () => {
    const log = new EventLog(10, 10_000);
    const old = log.openStream();
    const id = log.append(old, 'a');
    for (let n = 0; n < 10; n++) log.openStream();
    expect(log.since(id)).toBeNull();
  });
});
