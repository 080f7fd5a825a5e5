/** Where the messages about one request go: its own response stream, or the one stream a transport has. */
import type { Handled } from '../../domain/call.ts';
import type { Frame } from './frames.ts';

export interface Outlet {
  /** A notification or question about the request, as one line of text. False: nobody can receive it here. */
  message(text: string): boolean;
  /** The answer; at most once per request. `handled` tells transports with status codes what it was. */
  answer(frame: Frame, handled: Handled): void;
}
