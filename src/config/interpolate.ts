/**
 * References inside configured strings: `${NAME}`, `${NAME:-default}`, `${file:/path}`, `${vault:NAME}`, `${config:dir}`;
 * `$${` stands for a plain `${`. Works on parsed strings, never on raw text, so a value can never become structure (a quote or a
 * line break in a token stays in its token). Keys, numbers and booleans are left alone.
 */
import { isAbsolute, resolve } from 'node:path';
import type { Secret } from '../domain/secret.ts';
import { didYouMean, type Mistake } from './problem.ts';
import { readTextFile } from './text-file.ts';

/** Looks a secret up in the vault. `none` comes with the names there are; `unreadable`: it is there and does not open. */
export type FindSecret = (name: string) => FoundSecret;
export type FoundSecret =
  | { kind: 'secret'; secret: Secret }
  | { kind: 'none'; names: readonly string[] }
  | { kind: 'unreadable'; reason: string };

export interface InterpolationSource {
  env: Readonly<Record<string, string | undefined>>;
  /** Folder of the document: what `${config:dir}` stands for and what `${file:...}` is relative to. */
  folder: string;
  findSecret?: FindSecret | undefined;
  /** Takes the files that were referred to; absolute. */
  files?: Set<string> | undefined;
}

export interface Interpolated {
  value: unknown;
  mistakes: Mistake[];
  /** Paths (joined by `\0`) of the strings that held a reference: their values may be secret. */
  referring: ReadonlySet<string>;
  /** Names of the environment variables that were asked for. */
  names: ReadonlySet<string>;
}

const REFERENCE = /\$\$\{|\$\{([^}]*)\}?/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;
const SECRET_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const MAX_SECRET_FILE_BYTES = 64 * 1024;

export const isSecretName = (name: string): boolean => SECRET_NAME.test(name);

export const pathKey = (path: readonly (string | number)[]): string => path.join('\0');

/** Replaces every reference in every string of a parsed document. A string with a mistake is left as it was. */
export function interpolate(document: unknown, source: InterpolationSource): Interpolated {
  const mistakes: Mistake[] = [];
  const referring = new Set<string>();
  const names = new Set<string>();

  const visit = (value: unknown, path: readonly (string | number)[]): unknown => {
    if (typeof value === 'string') {
      if (!value.includes('${')) return value;
      return replaceAll(value, path);
    }
    if (Array.isArray(value)) return value.map((item, index) => visit(item, [...path, index]));
    if (typeof value !== 'object' || value === null) return value;
    // fromEntries defines rather than assigns, so a key named __proto__ stays a key.
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, [...path, key])]));
  };

  const replaceAll = (text: string, path: readonly (string | number)[]): string => {
    let failed = false;
    const replaced = text.replace(REFERENCE, (whole: string, inner: string | undefined) => {
      if (inner === undefined) return '${';
      referring.add(pathKey(path));
      const found = whole.endsWith('}') ? lookUp(inner, source, names) : UNCLOSED;
      if (typeof found === 'string') return found;
      failed = true;
      mistakes.push({ path, ...found });
      return whole;
    });
    return failed ? text : replaced;
  };

  return { value: visit(document, []), mistakes, referring, names };
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: the text is about the syntax
const KNOWN_FORMS = 'use ${NAME}, ${NAME:-default}, ${file:/path}, ${vault:NAME} or ${config:dir}; $${ for a plain ${';

type Unfound = Omit<Mistake, 'path'>;

// biome-ignore lint/suspicious/noTemplateCurlyInString: the text is about the syntax
const UNCLOSED: Unfound = { message: '"${" is never closed by "}"', hint: 'write $${ for a plain ${' };

function lookUp(inner: string, source: InterpolationSource, names: Set<string>): string | Unfound {
  if (inner === 'config:dir') return source.folder;
  if (inner.startsWith('file:')) return readReferredFile(inner.slice('file:'.length), source);
  if (inner.startsWith('vault:')) return findKept(inner.slice('vault:'.length), source);

  const [, name, fallback] = VARIABLE.exec(inner) ?? [];
  if (name === undefined) {
    return {
      message: `"\${${inner}}" is not a reference this gateway knows`,
      hint: KNOWN_FORMS,
    };
  }
  names.add(name);
  const value = source.env[name];
  if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
  if (value !== undefined) return value;
  return {
    message: `the environment variable ${name} is not set`,
    hint: didYouMean(name, Object.keys(source.env)) ?? `set ${name}, or give a default: \${${name}:-...}`,
  };
}

function findKept(name: string, { findSecret }: InterpolationSource): string | Unfound {
  if (!isSecretName(name)) {
    const message = `"\${vault:${name}}" names no secret`;
    return { message, hint: 'letters, digits, underscores, dots and hyphens, up to 128; there is no default' };
  }
  const found: FoundSecret = findSecret?.(name) ?? { kind: 'none', names: [] };
  if (found.kind === 'secret') return found.secret.reveal();
  if (found.kind === 'unreadable') return { message: `the secret ${name} cannot be read: ${found.reason}`, hint: null };
  const hint = didYouMean(name, found.names) ?? `keep it with: gatehouse secret set ${name}`;
  return { message: `the vault holds no secret ${name}`, hint };
}

/** The text of a file without its last line break: how secrets are mounted into containers. */
function readReferredFile(written: string, { folder, files }: InterpolationSource): string | Unfound {
  const path = isAbsolute(written) ? written : resolve(folder, written);
  files?.add(path);
  const read = readTextFile(path, MAX_SECRET_FILE_BYTES);
  if (read.ok) return read.text.replace(/\r?\n$/, '');
  return { message: `the file ${path} cannot be read: ${read.reason}`, hint: null };
}
