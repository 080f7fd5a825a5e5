/** Where the rows of a file's servers are: no namespace that somebody may choose has a space in it. */
export function namespaceOfFile(namespace: string, file: string): string {
  return `${namespace} ${file}`;
}
