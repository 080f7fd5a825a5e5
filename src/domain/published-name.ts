/**
 * Names of servers in the form of the official registry (v0.1): a namespace and one part behind one slash, which may hold
 * letters, digits, ".", "_" and "-". A path of several parts is written with "--" between them, and no two paths come to one
 * name: whoever registers a server cannot take the name of another's.
 */
const NAMESPACE = 'io.mcpgateway/';

/** Of a path without its leading slash. A "-" that could be taken for a part of a slash is written "-_". */
export function publishedName(key: string): string {
  return NAMESPACE + key.replace(/-(?=[-_/])/g, '-_').replaceAll('/', '--');
}

/** The inverse; slashes that were written as such are taken, too. Null: it is no name of ours. */
export function readPublishedName(name: string): string | null {
  if (!name.startsWith(NAMESPACE)) return null;
  const written = name.slice(NAMESPACE.length);
  return written.includes('/') ? written : written.replace(/-([-_])/g, (_, mark) => (mark === '-' ? '/' : '-'));
}
