/** What one part of a policy says, and how the entry that said it is called: a path into the file that holds it. */

/** `agents.frontend.deny.tools.postgres[0]`, or a place and the words `no allow entry`. */
export type RuleRef = string;

/** Made once when rules are compiled, so that a decision makes none. */
export interface Verdict {
  readonly isAllowed: boolean;
  readonly rule: RuleRef;
}

export const yes = (rule: RuleRef): Verdict => ({ isAllowed: true, rule });
export const no = (rule: RuleRef): Verdict => ({ isAllowed: false, rule });

const PLAIN = /^[A-Za-z0-9_$-]+$/;

/** A key that holds anything but letters, digits, `_`, `-` and `$` is quoted: `agents["team.lead"].deny.servers[0]`. */
export function formatRef(...segments: readonly (string | number)[]): RuleRef {
  let text = '';
  for (const segment of segments) {
    if (typeof segment === 'number') text += `[${segment}]`;
    else if (PLAIN.test(segment)) text += text === '' ? segment : `.${segment}`;
    else text += `[${JSON.stringify(segment)}]`;
  }
  return text;
}
