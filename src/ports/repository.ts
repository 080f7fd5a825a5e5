/**
 * What every repository of the registry promises: a write resolves only when it would survive the loss of power, and
 * rejects with nothing changed. Records are values: nobody changes what a repository handed out or was handed.
 */

/** `offset`: records to pass over. Pages of one list fit together only while nothing changes in between. */
export interface PageRequest {
  offset: number;
  limit: number;
}

/** For lists that must lose nothing while others write: what comes after a path. */
export interface Cursor {
  /** The path of the last record of the page before; null: from the beginning. */
  after: string | null;
  limit: number;
}

export interface Page<T> {
  /** In the order of their paths, by code unit. */
  items: readonly T[];
  /** Of all that fit the filter, on any page. */
  total: number;
}

export type Added<T> = { kind: 'stored'; value: T } | { kind: 'exists' };

/** `conflict`: somebody else changed it first; `revision` is what it is now. */
export type Updated<T> = { kind: 'stored'; value: T } | { kind: 'conflict'; revision: number } | { kind: 'missing' };
