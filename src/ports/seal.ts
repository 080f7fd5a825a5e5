/** Handles that clients carry for us (task ids, request states): readable and usable only by whom they were made for. */
export interface Seal {
  /**
   * `purpose` says what the handle is good for, `subject` for whom; both are bound, neither is told. Two handles for the
   * same text differ. Shape: letters, digits, `-` and `_`.
   */
  seal(purpose: string, subject: string, text: string, ttlMs?: number): string;
  /** null alike for what was never a handle, was changed, has expired, or was made for another purpose or subject. */
  open(purpose: string, subject: string, handle: string): string | null;
}
