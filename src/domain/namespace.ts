/** The name of a registry among those that share a place. */
const NAMESPACE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** What follows "a namespace" where a name is refused. */
export const NAMESPACE_RULE = 'is 1 to 64 of letters, digits, ".", "_" and "-", and begins with a letter or digit';

export function isNamespace(name: string): boolean {
  return NAMESPACE.test(name);
}
