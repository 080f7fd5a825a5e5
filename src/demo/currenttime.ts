#!/usr/bin/env node
/**
 * A small MCP server that ships with the gateway: the time in any zone of the IANA database. It makes the default
 * configuration useful without a network and shows what a server on the SDK looks like. Speaks both eras over stdio.
 */
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** ISO 8601 as the clocks of the zone show it, with the zone's own offset. */
function describeTime(at: Date, timeZone: string): { iso: string; weekday: string; utcOffset: string } {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'long',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'longOffset',
  });
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const utcOffset = (part.timeZoneName ?? 'GMT').replace('GMT', '') || '+00:00';
  return {
    iso: `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}${utcOffset}`,
    weekday: part.weekday ?? '',
    utcOffset,
  };
}

function createServer(): McpServer {
  const server = new McpServer({ name: 'currenttime', version: '1.0.0' });
  server.registerTool(
    'current_time_by_timezone',
    {
      title: 'Current time by time zone',
      description: 'Tells the current date and time in a time zone, for example America/New_York or Asia/Tokyo.',
      inputSchema: z.object({
        tz_name: z
          .string()
          .default('America/New_York')
          .describe('Name of a zone in the IANA time zone database, such as Europe/Paris or UTC'),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ tz_name }) => {
      const zone = tz_name.trim();
      if (!isZone(zone)) {
        const text = `Unknown time zone ${JSON.stringify(zone.slice(0, 64))}. Give a name of the IANA database, such as Europe/Paris.`;
        return { isError: true, content: [{ type: 'text' as const, text }] };
      }
      const { iso, weekday, utcOffset } = describeTime(new Date(), zone);
      return { content: [{ type: 'text' as const, text: `${iso} (${weekday}, ${zone}, UTC${utcOffset})` }] };
    },
  );
  return server;
}

serveStdio(createServer);
