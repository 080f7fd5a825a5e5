/**
 * The document of the API and a page to read it with, for anybody: `/openapi.json`, `/docs`. The page runs nothing but files
 * of ours, asks nobody but us, and works without a network.
 */
import { z } from 'zod';
import { failure } from '../../domain/error.ts';
import type { JsonObject } from '../../domain/json.ts';
import { describeApi } from './openapi.ts';
import { answer, defineRoute, type RestRoute, type ServiceNo } from './route.ts';

export interface DocsDesk {
  version: string;
  /** The whole table, these routes among them. */
  table(): readonly RestRoute[];
  /** Files of the page that is not ours; null: not installed. */
  readFile(name: 'swagger-ui.css' | 'swagger-ui-bundle.js'): Promise<string | null>;
}

const CSP = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'"],
  ...["font-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join('; ');

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gatehouse API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="swagger-ui"><p>This page needs JavaScript; the document itself is at <a href="openapi.json">openapi.json</a>.</p></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`;

/** `validatorUrl`: nobody else's server is asked to judge the document. */
const START = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  layout: 'BaseLayout',
  persistAuthorization: false,
  queryConfigEnabled: false,
  validatorUrl: null,
});
`;

const TYPES = { css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8' } as const;
const HOUR = 'public, max-age=3600';

export function docsRoutes({ version, table, readFile }: DocsDesk): RestRoute[] {
  const common = { method: 'GET', access: { kind: 'public' }, tag: 'documentation' } as const;
  let document: JsonObject | null = null;

  const at = (path: string) =>
    defineRoute({
      ...{ ...common, path, operation: 'openapi', summary: 'Read this document' },
      answers: { 200: { says: 'OpenAPI 3.1.', schema: z.looseObject({ openapi: z.literal('3.1.0') }) } },
      run() {
        document ??= describeApi(table(), version);
        return answer(200, document, { 'cache-control': 'no-cache' });
      },
    });
  const file = (
    name: string,
    type: keyof typeof TYPES,
    read: () => Promise<string | null>,
    fails: readonly ServiceNo[] = [],
  ) =>
    defineRoute({
      ...{ ...common, path: `/docs/${name}`, operation: 'docs', summary: 'Read a file of the page' },
      answers: { 200: { says: 'The file.', schema: null, types: [TYPES[type]] } },
      fails,
      async run() {
        const text = await read();
        if (text === null) return failure('NOT_FOUND', {}, { say: 'This page is not a part of this installation.' });
        return { kind: 'rest', status: 200, text, headers: { 'content-type': TYPES[type], 'cache-control': HOUR } };
      },
    });
  return [
    at('/openapi.json'),
    at('/api/openapi.json'),
    defineRoute({
      ...{ ...common, path: '/docs', operation: 'docs', summary: 'Read this document in a browser' },
      answers: { 200: { says: 'A page.', schema: null, types: ['text/html'] } },
      run: () => ({
        ...{ kind: 'rest', status: 200, text: PAGE },
        headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': CSP },
      }),
    }),
    file('swagger-ui.css', 'css', () => readFile('swagger-ui.css'), ['NOT_FOUND']),
    file('swagger-ui-bundle.js', 'js', () => readFile('swagger-ui-bundle.js'), ['NOT_FOUND']),
    file('start.js', 'js', () => Promise.resolve(START)),
  ];
}
