/**
 * `POST /api/reload` and `/internal/reload-scopes`, for administrators: the files are read again; with a mistake the
 * old ones stay in force.
 */
import { z } from 'zod';
import { answer, defineRoute, type RestRoute } from './route.ts';

export interface ReloadDesk {
  reload(): Promise<{ ok: boolean; problems: readonly string[]; warnings: readonly string[] }>;
}

const Done = z.object({ ok: z.literal(true), problems: z.array(z.string()).max(0), warnings: z.array(z.string()) });
const Refused = z.object({ ok: z.literal(false), detail: z.string(), problems: z.array(z.string()).min(1) });

export function reloadRoutes({ reload }: ReloadDesk): RestRoute[] {
  const at = (path: string) =>
    defineRoute({
      ...{ method: 'POST', path, operation: 'reload', tag: 'operation', access: { kind: 'admin' } },
      summary: 'Read the configuration, the rules and the scopes again',
      answers: {
        200: { says: 'All of it is in force.', schema: Done },
        422: { says: 'There are mistakes, and what was in force stays so.', schema: Refused },
      },
      async run() {
        const { ok, problems, warnings } = await reload();
        if (ok) return answer(200, { ok, problems, warnings });
        return answer(422, { ok, detail: 'Nothing was changed: the configuration has mistakes.', problems });
      },
    });
  return [at('/api/reload'), at('/internal/reload-scopes')];
}
