/**
 * The `outbound` section: which addresses the gateway may call besides public https ones, where somebody else than the
 * operator wrote the URL. What the operator wrote into files is called as it stands and needs no leave here.
 */
import { z } from 'zod';
import { type OutboundRules, readAllowedTarget } from '../domain/outbound-rules.ts';
import type { Mistake } from './problem.ts';
import { scalarText, yesNo } from './written-values.ts';

export const OutboundSection = z.strictObject({
  allow: z.array(scalarText).max(1000, 'holds more than 1000 entries').optional(),
  allowHttp: yesNo.optional(),
});
export type OutboundSection = z.output<typeof OutboundSection>;

const EXAMPLES = 'for example localhost, 10.0.0.0/8, *.corp.example or mcp.corp.example:8443';

export function toOutboundConfig(written: OutboundSection | undefined): { config: OutboundRules; mistakes: Mistake[] } {
  const mistakes: Mistake[] = [];
  const allow = (written?.allow ?? []).flatMap((line, index) => {
    const target = readAllowedTarget(line.trim());
    if (typeof target !== 'string') return [target];
    const message = `${JSON.stringify(line.slice(0, 64))} ${target}`;
    mistakes.push({ path: ['outbound', 'allow', index], message, hint: EXAMPLES });
    return [];
  });
  return { config: { allow, allowHttp: written?.allowHttp ?? false }, mistakes };
}
