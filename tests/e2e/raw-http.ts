/** One HTTP request with headers that browsers set and `fetch` forbids (Host, Origin), and its answer as it came. */
import { type IncomingHttpHeaders, request } from 'node:http';

export interface RawAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Of an event stream only how it began: a standing one has no end. */
  text: string;
}

export function askRaw(
  url: string,
  { method = 'POST', headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, agent: false }, response => {
      const isStream = response.headers['content-type'] === 'text/event-stream';
      let text = '';
      const done = () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk;
        if (!isStream || !text.includes('\n\n')) return;
        done();
        asked.destroy();
      });
      response.on('end', done);
    });
    // After the answer is known, how the connection ended is of no interest.
    asked.on('error', reject);
    asked.end(body);
  });
}
