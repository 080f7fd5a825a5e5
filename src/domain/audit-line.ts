/**
 * The text of a ledger line: fields in a fixed order, each masked, bounded and escaped, so that whatever a caller sends
 * becomes exactly one JSON record. Composed by hand because the same few names come again and again: their JSON text is
 * kept, which spares masking and escaping on every call.
 */
import { hash } from 'node:crypto';
import { type AuditFacts, type AuditMetadata, judge } from './audit.ts';
import { maskSecrets } from './sanitise.ts';

const MAX_CHARS = 512;
/** Masking sees more than is kept, so that a secret across the cut is known for one. */
const MASK_WINDOW = 2 * MAX_CHARS;
const MAX_METADATA = 16;
const MAX_SCOPES = 64;
const MAX_KEPT = 4_096;

/** Legal raw in JSON, but line ends for other readers, or able to steer a terminal or reorder its text. */
const UNSAFE = /[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const PLAIN_ID = /^[A-Za-z0-9_.:-]{1,128}$/;

/** What a line says of the operation before its end is known. */
export function composeHead(facts: AuditFacts): string {
  const isTool = facts.method === 'tools/call';
  const target = quote(facts.target);
  return (
    `"timestamp":"${isoTime(facts.atMs)}","request_id":${quoteId(facts.id)},"agent_id":${quote(facts.agent)}` +
    `,"agent_verified":${facts.agentVerified === true},"subject":${quoteName(facts.subject)}` +
    `,"issuer":${quoteName(facts.issuer)},"client":${quoteName(facts.client)},"method":${quote(facts.authMethod)}` +
    `,"operation":${quote(facts.operation)},"server":${quote(facts.server)}` +
    `,"tool":${isTool ? target : 'null'},"target":${isTool ? 'null' : target},"rule":${quote(facts.rule)}` +
    `,"session_id":${digest(facts.sessionId)},"client_name":${quote(facts.clientName)}` +
    `,"address":${quote(facts.address)}` +
    (facts.actingFor === null ? '' : `,"acting_for":${quoteName(facts.actingFor)}`) +
    (facts.evaluatedScopes.length === 0 ? '' : `,"scopes":${quoteAll(facts.evaluatedScopes)}`)
  );
}

/** What it says of the end. `intent` is the id it was announced under. */
export function composeTail(facts: AuditFacts, intent: string | null): string {
  return (
    `,"decision":"${judge(facts.outcome, facts.code)}","latency_ms":${round(facts.durationMs)}` +
    `,"outcome":"${facts.outcome}","error_code":${quote(facts.code)}` +
    (facts.wouldDeny === null ? '' : `,"would_deny":${quote(facts.wouldDeny)}`) +
    (intent === null ? '' : `,"intent":"${intent}"`) +
    `,"metadata":${facts.metadata === null ? '{}' : composeMetadata(facts.metadata)}`
  );
}

/** The end of an operation of which only the announcement is known: it was let through, and may have had its effect. */
export function composeInterrupted(intent: string): string {
  return `,"decision":"ALLOW","latency_ms":0.00,"outcome":"interrupted","error_code":null,"intent":"${intent}","metadata":{}`;
}

function round(ms: number): string {
  return Number.isFinite(ms) && ms > 0 ? ms.toFixed(2) : '0.00';
}

function composeMetadata(metadata: AuditMetadata): string {
  const members = Object.entries(metadata).slice(0, MAX_METADATA);
  return `{${members.map(([name, value]) => `${write(name, false)}:${composeValue(value)}`).join(',')}}`;
}

function composeValue(value: string | number | boolean | null): string {
  if (typeof value === 'string') return write(value, true);
  return typeof value === 'number' && !Number.isFinite(value) ? 'null' : String(value);
}

let kept = new Map<string, string>();
let keptNames = new Map<string, string>();
let keptDigests = new Map<string, string>();

/** A text as JSON, secrets masked. */
function quote(text: string | null): string {
  if (text === null) return 'null';
  const known = kept.get(text);
  if (known !== undefined) return known;
  const written = write(text, true);
  // Replaced, not emptied: a large Map that is emptied holds on to its old tables.
  if (kept.size >= MAX_KEPT) kept = new Map();
  if (text.length <= MAX_CHARS) kept.set(text, written);
  return written;
}

/** Of a verified caller: may look as random as a key and is none, and without it a line is worth nothing. */
function quoteName(text: string | null): string {
  if (text === null) return 'null';
  const known = keptNames.get(text);
  if (known !== undefined) return known;
  const written = write(text, false);
  if (keptNames.size >= MAX_KEPT) keptNames = new Map();
  if (text.length <= MAX_CHARS) keptNames.set(text, written);
  return written;
}

function digest(sessionId: string | null): string {
  if (sessionId === null) return 'null';
  const known = keptDigests.get(sessionId);
  if (known !== undefined) return known;
  const written = `"${hash('sha256', sessionId, 'hex').slice(0, 16)}"`;
  if (keptDigests.size >= MAX_KEPT) keptDigests = new Map();
  if (sessionId.length <= MAX_CHARS) keptDigests.set(sessionId, written);
  return written;
}

function quoteId(id: string): string {
  return PLAIN_ID.test(id) ? `"${id}"` : write(id, true);
}

function quoteAll(texts: readonly string[]): string {
  return `[${texts.slice(0, MAX_SCOPES).map(quote).join(',')}]`;
}

function write(text: string, isMasked: boolean): string {
  const seen = text.length > MASK_WINDOW ? text.slice(0, MASK_WINDOW) : text;
  const said = isMasked ? maskSecrets(seen) : seen;
  const isWhole = said.length <= MAX_CHARS && text.length <= MASK_WINDOW;
  const bounded = isWhole ? said : `${said.slice(0, MAX_CHARS)}… [truncated, ${text.length} characters]`;
  return JSON.stringify(bounded).replace(UNSAFE, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

let second = Number.NaN;
let secondText = '';

/** ISO 8601 in UTC, with milliseconds; the part down to the second is kept. */
function isoTime(atMs: number): string {
  const whole = Math.floor(atMs / 1000);
  if (whole !== second) {
    second = whole;
    secondText = Number.isFinite(atMs) ? new Date(whole * 1000).toISOString().slice(0, 20) : '1970-01-01T00:00:00.';
  }
  const ms = Math.floor(atMs - whole * 1000);
  return `${secondText}${ms > 0 ? String(ms).padStart(3, '0') : '000'}Z`;
}
