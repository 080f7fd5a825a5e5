/** Time, injected. `monotonicMs` for durations and deadlines, `wallMs` (Unix milliseconds) for what people read. */
export interface Clock {
  monotonicMs(): number;
  wallMs(): number;
  /** Calls back once after `ms`; the returned function cancels. Does not keep the process alive. */
  after(ms: number, run: () => void): () => void;
}
