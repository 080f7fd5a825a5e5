/**
 * Records in memory. What goes in and comes out is a copy of the noun's JSON, checked by its schema, exactly as if a
 * database had been in between.
 */
import type { z } from 'zod';

export interface Records<T> {
  find(key: string): T | null;
  /** In the order in which their keys came, like the next. */
  all(): T[];
  keys(): string[];
  put(key: string, noun: T): void;
  /** False: there was none. */
  remove(key: string): boolean;
}

export interface RecordSet {
  records<T>(schema: z.ZodType<T>): Records<T>;
  /** Returns what puts everything back as it is now. */
  keep(): () => void;
}

export function createRecordSet(): RecordSet {
  const maps: Map<string, string>[] = [];
  return {
    records<T>(schema: z.ZodType<T>) {
      const at = maps.push(new Map()) - 1;
      const map = () => maps[at] as Map<string, string>;
      const read = (text: string) => schema.parse(JSON.parse(text));
      return {
        find(key) {
          const text = map().get(key);
          return text === undefined ? null : read(text);
        },
        all: () => [...map().values()].map(read),
        keys: () => [...map().keys()],
        put: (key, noun) => void map().set(key, JSON.stringify(schema.parse(noun))),
        remove: key => map().delete(key),
      };
    },
    keep() {
      const kept = maps.map(map => new Map(map));
      return () => {
        for (const at of maps.keys()) maps[at] = kept[at] ?? new Map();
      };
    },
  };
}
