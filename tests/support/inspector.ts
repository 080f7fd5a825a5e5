/** The debugger's view of a gateway that was started with `--inspect`: heap after a collection, and open handles. */
import { type GatewayProcess, waitFor } from './gateway-process.ts';

export interface Inspector {
  measure(): Promise<{ heapBytes: number; handles: number }>;
  close(): Promise<void>;
}

interface Answer {
  result?: { result?: { value?: unknown } };
}

export async function openInspector(gateway: GatewayProcess): Promise<Inspector> {
  const url = await waitFor(
    () => /Debugger listening on (ws:\S+)/.exec(gateway.stderr())?.[1] ?? null,
    'it can be looked at',
  );
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const waiting = new Map<number, (message: Answer) => void>();
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data)) as Answer & { id: number };
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
  };
  let lastId = 0;
  const ask = (method: string, params: object = {}) =>
    new Promise<Answer>(resolve => {
      lastId += 1;
      waiting.set(lastId, resolve);
      socket.send(JSON.stringify({ id: lastId, method, params }));
    });
  const evaluate = async (expression: string) =>
    Number((await ask('Runtime.evaluate', { expression, returnByValue: true })).result?.result?.value);
  return {
    async measure() {
      // What finalisers let go of is collected by the next one.
      for (let i = 0; i < 3; i += 1) await ask('HeapProfiler.collectGarbage');
      return {
        heapBytes: await evaluate('process.memoryUsage().heapUsed'),
        handles: await evaluate('process.getActiveResourcesInfo().length'),
      };
    },
    close: () =>
      new Promise(resolve => {
        socket.onclose = () => resolve();
        socket.close();
      }),
  };
}
