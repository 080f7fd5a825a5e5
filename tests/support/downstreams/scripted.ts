/**
 * A downstream without an SDK that does what a script tells it, right or wrong:
 * `node scripted.ts --transport stdio|http|sse --era legacy|modern|dual --script '<json rules>'`
 * with `--tools N`, `--page-size N`, `--revision R`, `--ledger FILE`, `--name NAME`, `--port N`.
 * The rules are described in scripted/script.ts. Over HTTP it prints `listening <url>`.
 */
import { parseArgs } from 'node:util';
import { isLegacyRevision } from '../../../src/domain/era.ts';
import { DEFAULT_OPTIONS, type ScriptedEra, type ScriptedOptions } from './scripted/engine.ts';
import { startScriptedHttp } from './scripted/http.ts';
import { parseRules } from './scripted/script.ts';
import { runScriptedStdio } from './scripted/stdio.ts';

const { values } = parseArgs({
  options: {
    transport: { type: 'string', default: 'stdio' },
    era: { type: 'string', default: 'legacy' },
    script: { type: 'string', default: '[]' },
    tools: { type: 'string' },
    'page-size': { type: 'string' },
    revision: { type: 'string', default: DEFAULT_OPTIONS.revision },
    ledger: { type: 'string' },
    name: { type: 'string', default: DEFAULT_OPTIONS.name },
    port: { type: 'string', default: '0' },
  },
});

const options: Partial<ScriptedOptions> = {
  era: requireEra(values.era),
  rules: parseRules(values.script),
  tools: values.tools === undefined ? null : Number(values.tools),
  pageSize: values['page-size'] === undefined ? null : Number(values['page-size']),
  revision: isLegacyRevision(values.revision) ? values.revision : DEFAULT_OPTIONS.revision,
  ledger: values.ledger ?? null,
  name: values.name,
};

if (values.transport === 'stdio') {
  await runScriptedStdio(options);
} else {
  const transport = values.transport === 'sse' ? 'sse' : 'http';
  const server = await startScriptedHttp(transport, options, Number(values.port), code => process.exit(code));
  process.stdout.write(`listening ${server.url}\n`);
}

function requireEra(era: string): ScriptedEra {
  if (era === 'legacy' || era === 'modern' || era === 'dual') return era;
  throw new Error('--era must be legacy, modern or dual');
}
