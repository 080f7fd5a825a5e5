/** Names of the files that a registry is kept in, beside those of SQLite. */

/** What was acknowledged last: a database that is behind it has lost something. */
export const acknowledgedName = (name: string): string => `${name}-acknowledged`;
