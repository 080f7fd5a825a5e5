/**
 * What is wrong with a server that somebody registers, said all at once: things that contradict each other, addresses that
 * cannot be, headers that are not theirs to set. Whether an address may be called is not known here.
 */
import { z } from 'zod';
import { isHeaderName, isHeaderValue, isIdentityHeader, isOurs } from './header-names.ts';
import type { ServerDraft } from './registered-server.ts';
import type { Secret } from './secret.ts';

export const MAX_HEADERS = 10;
const MAX_URL = 2048;
const MAX_HEADER_VALUE = 8192;

export interface OwnHeader {
  name: string;
  value: Secret;
}

/** Shape: sentences that begin with the field as it is spelled in the interface; empty: nothing is wrong. */
export function findServerMistakes(draft: ServerDraft): string[] {
  const { deployment, launch, localRuntime, visibility, allowedGroups, proxyUrl, mcpEndpoint, sseEndpoint } = draft;
  const addresses = { proxy_pass_url: proxyUrl, mcp_endpoint: mcpEndpoint, sse_endpoint: sseEndpoint };
  const mistakes: string[] = [];
  for (const [field, url] of Object.entries(addresses)) {
    const wrong = url === null ? null : findUrlMistake(url);
    if (wrong !== null) mistakes.push(`${field}: ${wrong}`);
  }
  const hasAddress = Object.values(addresses).some(url => url !== null);
  if (deployment === 'local') {
    if (localRuntime === null) mistakes.push('local_runtime: says how a local server is started, and is missing');
    if (launch !== null) mistakes.push('launch: the gateway never starts a server whose deployment is local');
  } else if (launch !== null && hasAddress) {
    mistakes.push('launch: a server is started or has an address, not both');
  } else if (launch === null && !hasAddress) {
    mistakes.push('proxy_pass_url: is missing: it is where the gateway finds the server');
  }
  if (launch === null && draft.transport === 'stdio' && deployment === 'remote') {
    mistakes.push('transport: stdio is for servers with a launch or of local deployment');
  }
  // An empty list would be nobody, which nobody means.
  if (visibility === 'group-restricted' && allowedGroups.length === 0) {
    mistakes.push('allowed_groups: name at least one group, or choose another visibility');
  }
  const odd = findSunsetMistake(draft);
  if (odd !== null) mistakes.push(`sunset_date: ${odd}`);
  return mistakes;
}

/** ISO 8601; a time without a zone is taken as it is written. */
const SUNSET = z.union([z.iso.date(), z.iso.datetime({ offset: true, local: true })]);

function findSunsetMistake({ status, sunsetDate }: ServerDraft): string | null {
  if (sunsetDate === null) return status === 'deprecated' ? 'is missing: it says when a deprecated server ends' : null;
  return SUNSET.safeParse(sunsetDate).success ? null : 'must be a date, such as 2027-06-30, or a date and time';
}

function findUrlMistake(written: string): string | null {
  if (written.length > MAX_URL) return 'is too long';
  if (!/^https?:\/\//i.test(written)) return 'must begin with http:// or https://';
  const url = URL.parse(written);
  if (url === null) return 'is not a valid address';
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password: use auth_credential';
  return url.hash === '' ? null : 'must not hold a fragment';
}

/** What is wrong with headers that go with every request to a server. `taken`: of its credential, lower-case. */
export function findHeaderMistakes(headers: readonly OwnHeader[], taken: string | null): string[] {
  if (headers.length > MAX_HEADERS) return [`custom_headers: more than ${MAX_HEADERS} headers`];
  const seen = new Set(taken === null ? [] : [taken]);
  return headers.flatMap(({ name, value }, place) => {
    const wrong = findHeaderNameMistake(name) ?? findHeaderValueMistake(value.reveal());
    const key = name.toLowerCase();
    if (wrong === null && !seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [`custom_headers.${place}: ${wrong ?? 'is set already'}`];
  });
}

export function findHeaderNameMistake(name: string): string | null {
  if (!isHeaderName(name) || name.length > 128) return 'is not a name for a header';
  const key = name.toLowerCase();
  return isOurs(key) || isIdentityHeader(key) ? 'is a header that the gateway sets itself' : null;
}

export function findHeaderValueMistake(value: string): string | null {
  if (value.trim() === '' || value !== value.trim()) return 'is empty or has blanks around it';
  if (value.length > MAX_HEADER_VALUE) return 'is too long';
  return isHeaderValue(value) ? null : 'holds a character that no header may hold';
}
