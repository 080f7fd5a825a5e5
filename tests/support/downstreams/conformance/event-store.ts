/** Keeps the last events of each stream so that a client can resume (MCP Streamable HTTP, resumability). Bounded. */
import type { EventStore } from '@modelcontextprotocol/server';

const MOST_EVENTS = 2000;

type Message = Parameters<EventStore['storeEvent']>[1];

export function createEventStore(): EventStore {
  const events = new Map<string, { stream: string; message: Message }>();
  let last = 0;
  return {
    async storeEvent(stream, message) {
      last += 1;
      const id = `${last}`;
      events.set(id, { stream, message });
      if (events.size > MOST_EVENTS) events.delete(`${last - MOST_EVENTS}`);
      return id;
    },
    async getStreamIdForEventId(id) {
      return events.get(id)?.stream;
    },
    async replayEventsAfter(id, { send }) {
      const stream = events.get(id)?.stream;
      if (stream === undefined) throw new Error('unknown event id');
      for (const [later, event] of events) {
        const isPriming = Object.keys(event.message).length === 0;
        if (Number(later) > Number(id) && event.stream === stream && !isPriming) await send(later, event.message);
      }
      return stream;
    },
  };
}
