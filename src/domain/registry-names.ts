/** Names of the files that a registry is kept in, beside the database itself. */

/** What was acknowledged last: a database that is behind it has lost something. */
export const acknowledgedName = (name: string): string => `${name}-acknowledged`;

/** SQLite's write-ahead log: changes that are not in the database yet. */
export const walName = (name: string): string => `${name}-wal`;
