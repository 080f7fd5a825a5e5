/** The name of a registry among those that share a place. */
const NAMESPACE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function requireNamespace(namespace: string): void {
  if (!NAMESPACE.test(namespace))
    throw new RangeError(
      'a namespace is 1 to 64 of letters, digits, ".", "_" and "-", and begins with a letter or digit',
    );
}
