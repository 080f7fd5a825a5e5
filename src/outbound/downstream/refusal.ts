/** An HTTP status in place of an answer, as a Fault. Which statuses may still hold the server's own error is the era's to say. */
import { CREDENTIALS_REFUSED } from '../../domain/server.ts';
import { type Fault, fault } from './fault.ts';

export function refusalFault(status: number, retryAfterMs: number | null): Fault {
  const more = { detail: `HTTP ${status}`, status, retryAfterMs };
  if (status < 400) return fault('refused', 'it redirects elsewhere', more);
  if (status === 401 || status === 403) return fault('refused', CREDENTIALS_REFUSED, more);
  if (status === 429) return fault('refused', 'it is overloaded', { ...more, isOutage: true });
  // An intermediary that lost the server cannot say what the server had done by then.
  if (status === 502 || status === 504) return fault('lost', `it answered HTTP ${status}`, more);
  return fault('refused', `it answered HTTP ${status}`, { ...more, isOutage: status >= 500 });
}
