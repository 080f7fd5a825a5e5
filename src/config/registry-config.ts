/**
 * The `registry` section: what may be registered through the interfaces beyond addresses. Nothing is started for anybody
 * until an operator names the command here; an empty list is nobody.
 */
import { z } from 'zod';
import type { Mistake } from './problem.ts';

export const RegistrySection = z.strictObject({
  allowCommands: z.array(z.string()).optional(),
  allowEnv: z.array(z.string()).optional(),
});
export type RegistrySection = z.output<typeof RegistrySection>;

export interface RegistryConfig {
  /** Exactly as a registration has to spell them; administrators alone may use them. */
  allowCommands: readonly string[];
  /** Variables of the gateway's own environment that a registered command may be given. */
  allowEnv: readonly string[];
}

export function toRegistryConfig(written: RegistrySection | undefined): {
  registry: RegistryConfig;
  mistakes: Mistake[];
} {
  const { allowCommands = [], allowEnv = [] } = written ?? {};
  const mistakes: Mistake[] = [];
  for (const [place, command] of allowCommands.entries()) {
    const path = ['registry', 'allowCommands', place];
    const hint = 'an absolute path, or the name of a program that is found by PATH';
    if (command.trim() === '' || /[*\0]/.test(command)) mistakes.push({ path, message: 'must name one program', hint });
    else if (/[\\/]/.test(command) && !/^(?:\/|[A-Za-z]:[\\/])/.test(command))
      mistakes.push({ path, message: 'is a relative path', hint });
  }
  for (const [place, name] of allowEnv.entries()) {
    if (/^[A-Za-z_]\w*$/.test(name)) continue;
    mistakes.push({ path: ['registry', 'allowEnv', place], message: 'is not a name for a variable', hint: null });
  }
  return { registry: { allowCommands, allowEnv }, mistakes };
}
