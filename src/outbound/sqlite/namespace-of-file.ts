/** Where the rows of a file's servers are: no namespace that somebody may choose has a space in it. */
export function namespaceOfFile(namespace: string, file: string): string {
  return `${namespace} ${file}`;
}

/** Where what was kept of files' servers is that were not told apart. */
export const namespaceOfEarlier = (namespace: string): string => namespaceOfFile(namespace, '');
