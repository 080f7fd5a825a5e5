/**
 * Who may use the one connection of a storage, and when: single reads and writes at once, a transaction alone from its
 * first read to its end. Whatever the engine, a write that throws leaves nothing behind.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as pause } from 'node:timers/promises';

/** What a backend can do; none of it waits. */
export interface Engine {
  /** False: another process writes just now. */
  tryBegin(): boolean;
  /** Durable when it returns; throws with everything undone. */
  commit(): void;
  rollback(): void;
  /** Inside a transaction: all of `work` or, when it throws, nothing of it. */
  atomically<T>(work: () => T): T;
  /** Changes when another connection has written. */
  stamp(): number;
  close(): void;
}

/** How a repository gets at its records. */
export interface Turn {
  read<T>(work: () => T): Promise<T>;
  write<T>(work: () => T): Promise<T>;
}

export interface Turns {
  /** Outside of any transaction. */
  single: Turn;
  /** `undone`: called when everything was undone, before anybody else gets to run. */
  transaction<T>(work: (turn: Turn) => Promise<T>, undone?: () => void): Promise<T>;
  close(): Promise<void>;
}

const BEGIN_TRIES = 100;
const BEGIN_PAUSE_MS = 20;

export function createTurns(engine: Engine): Turns {
  /** Resolves when the transaction that is under way is over; null: there is none. */
  let underWay: Promise<void> | null = null;
  let isClosed = false;
  const inside = new AsyncLocalStorage<{ isOver: boolean }>();

  /** What must be waited for first; null: nothing, and that holds until somebody else gets to run. */
  function inTheWay(): Promise<void> | null {
    // Its own transaction would wait for it, and it for its transaction.
    if (inside.getStore()?.isOver === false)
      throw new Error('inside a transaction of the registry only the repositories it was given may be used');
    if (underWay === null && isClosed) throw new Error('the registry is closed');
    return underWay;
  }

  async function begin(): Promise<() => void> {
    for (let tries = 1; ; tries++) {
      for (let other = inTheWay(); other !== null; other = inTheWay()) await other;
      if (engine.tryBegin()) break;
      if (tries === BEGIN_TRIES) throw new Error('the registry is kept busy by another process: nothing was written');
      await pause(BEGIN_PAUSE_MS);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    underWay = promise;
    return () => {
      underWay = null;
      resolve();
    };
  }

  async function transaction<T>(work: (turn: Turn) => Promise<T>, undone = () => {}): Promise<T> {
    const end = await begin();
    const state = { isOver: false };
    const use = async <R>(part: () => R): Promise<R> => {
      if (state.isOver) throw new Error('the transaction of the registry is over: its repositories are of no more use');
      return part();
    };
    try {
      const turn: Turn = { read: use, write: part => use(() => engine.atomically(part)) };
      const result = await inside.run(state, () => work(turn));
      state.isOver = true;
      engine.commit();
      return result;
    } catch (error) {
      try {
        engine.rollback();
      } finally {
        undone();
      }
      throw error;
    } finally {
      state.isOver = true;
      end();
    }
  }

  return {
    single: {
      async read(work) {
        for (let other = inTheWay(); other !== null; other = inTheWay()) await other;
        return work();
      },
      write: work => transaction(turn => turn.write(work)),
    },
    transaction,
    async close() {
      while (underWay !== null) await underWay;
      if (isClosed) return;
      isClosed = true;
      engine.close();
    },
  };
}
