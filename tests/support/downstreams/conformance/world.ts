/**
 * What all connections of one fixture process share: whether the extra tool and prompt are there at the moment,
 * and who wants to hear of changes. Deliberately tiny; nothing here knows a transport.
 */
import { createTaskBoard, type TaskBoard } from './tasks.ts';

export type Change = 'tools' | 'prompts' | { resource: string };

export interface World {
  readonly board: TaskBoard;
  extraTool: boolean;
  extraPrompt: boolean;
  tell(change: Change): void;
  listen(hear: (change: Change) => void): () => void;
}

export function createWorld(): World {
  const ears = new Set<(change: Change) => void>();
  return {
    board: createTaskBoard(),
    extraTool: false,
    extraPrompt: false,
    tell: change => {
      for (const hear of ears) hear(change);
    },
    listen: hear => {
      ears.add(hear);
      return () => ears.delete(hear);
    },
  };
}
