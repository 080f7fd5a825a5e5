/** When it is tried again to write after a failure: soon and for as long as it fails, or earlier when somebody needs it. */
import type { Clock } from '../../ports/clock.ts';

const RETRY_MS = 500;

export class Retries {
  readonly #clock: Clock;
  readonly #retry: () => boolean;
  #lastMs = Number.NEGATIVE_INFINITY;
  #isSet = false;

  /** `retry`: false when it is to be tried again. */
  constructor(clock: Clock, retry: () => boolean) {
    this.#clock = clock;
    this.#retry = retry;
  }

  /** The last try was so long ago that who needs the disk may ask it before the timer does. */
  areDue(): boolean {
    return this.#elapsedMs() >= RETRY_MS;
  }

  #elapsedMs(): number {
    return this.#clock.monotonicMs() - this.#lastMs;
  }

  /** It was tried just now. Returns that time, monotonic. */
  note(): number {
    this.#lastMs = this.#clock.monotonicMs();
    return this.#lastMs;
  }

  /** From now on, until a try succeeds. */
  begin(): void {
    if (this.#isSet) return;
    this.#isSet = true;
    this.#clock.after(RETRY_MS, this.#whenDue);
  }

  readonly #whenDue = () => {
    this.#isSet = false;
    if (this.#elapsedMs() < RETRY_MS / 2 || !this.#retry()) this.begin();
  };
}
