/** The source tree as data: every file with its text, its code without comments and strings, and what it imports. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface Import {
  /** As written: `./x.ts`, `node:fs`, `hono/cors`. */
  written: string;
  /** Path below src for one of our own files, else null. */
  file: string | null;
  /** Package name for somebody else's code (`node:fs`, `@hono/node-server`), else null. */
  library: string | null;
  typeOnly: boolean;
  /** Values taken from it, as they are called there; `*` for all of it at once. */
  names: readonly string[];
}

export interface Source {
  /** Below src, with slashes: `services/gateway/gateway.ts`. */
  path: string;
  text: string;
  /** Without comments and without what stands in strings. */
  code: string;
  imports: readonly Import[];
}

/** Every file below `folder` (relative to the repository) whose name passes. */
export function listFiles(folder: string, pass: (name: string) => boolean = () => true): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && pass(entry.name))
    .map(entry => relative(ROOT, join(entry.parentPath, entry.name)).split('\\').join('/'))
    .filter(path => !path.includes('node_modules/'))
    .sort();
}

export function readSources(): Source[] {
  return listFiles('src', name => name.endsWith('.ts')).map(path =>
    toSource(path.slice('src/'.length), readFileSync(join(ROOT, path), 'utf8')),
  );
}

export function toSource(path: string, text: string): Source {
  return { path, text, code: blank(text, true), imports: findImports(path, blank(text, false)) };
}

const FROM = /\b(import|export)\s+(type\s+)?(?:([\w*\s{},$]+?)\sfrom\s+)?(['"])([^'"\n]+)\4/g;
const DYNAMIC = /\bimport\(\s*(['"])([^'"\n]+)\1/g;

function findImports(path: string, text: string): Import[] {
  const found = [...text.matchAll(FROM)].map(([, , type, clause = '', , written = '']) => ({
    written,
    typeOnly: type !== undefined,
    names: type === undefined ? namesIn(clause) : [],
  }));
  const dynamic = [...text.matchAll(DYNAMIC)].map(match => ({
    written: match[2] ?? '',
    typeOnly: false,
    names: ['*'],
  }));
  return [...found, ...dynamic].map(one => {
    if (!one.written.startsWith('.')) return { ...one, file: null, library: toLibrary(one.written) };
    return { ...one, file: posix.join(posix.dirname(path), one.written), library: null };
  });
}

/** Of `a, { b, type C, d as e }`: all of it for the first, `b` and `d`. */
function namesIn(clause: string): string[] {
  const [, whole = '', braces = ''] = /^([^{]*)(?:\{([^}]*)\})?\s*$/.exec(clause) ?? [];
  const named = braces
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '' && !part.startsWith('type '))
    .map(part => part.split(/\s+as\s+/)[0] ?? part);
  return [...(whole.replace(',', '').trim() === '' ? [] : ['*']), ...named];
}

function toLibrary(written: string): string {
  if (written.startsWith('node:')) return written;
  return written
    .split('/')
    .slice(0, written.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Blanks comments, and strings too where asked; a template's `${...}` stays code. */
function blank(text: string, strings: boolean): string {
  let out = '';
  let at = 0;
  /** Open braces of templates: at which depth each `${` is closed. */
  const templates: number[] = [];
  let depth = 0;

  const copyQuoted = (quote: string) => {
    const start = at;
    for (at += 1; at < text.length && text[at] !== quote && text[at] !== '\n'; at += 1) if (text[at] === '\\') at += 1;
    at += 1;
    out += strings ? quote + quote : text.slice(start, at);
  };
  const copyTemplate = () => {
    const start = at;
    for (at += 1; at < text.length && text[at] !== '`'; at += 1) {
      if (text[at] === '\\') at += 1;
      else if (text[at] === '$' && text[at + 1] === '{') {
        templates.push(depth);
        depth += 1;
        at += 2;
        out += strings ? '`' : text.slice(start, at);
        return;
      }
    }
    at += 1;
    out += strings ? '`' : text.slice(start, at);
  };

  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at] ?? '';
    if (two === '//') while (at < text.length && text[at] !== '\n') at += 1;
    else if (two === '/*') {
      const end = text.indexOf('*/', at + 2);
      at = end === -1 ? text.length : end + 2;
    } else if (one === '/' && isRegexStart(out)) {
      let inClass = false;
      const start = at;
      for (at += 1; at < text.length && text[at] !== '\n' && (inClass || text[at] !== '/'); at += 1) {
        if (text[at] === '\\') at += 1;
        else if (text[at] === '[') inClass = true;
        else if (text[at] === ']') inClass = false;
      }
      at += 1;
      out += strings ? '/ /' : text.slice(start, at);
    } else if (one === "'" || one === '"') copyQuoted(one);
    else if (one === '`') copyTemplate();
    else {
      if (one === '{') depth += 1;
      if (one === '}') {
        depth -= 1;
        if (templates.at(-1) === depth) {
          templates.pop();
          copyTemplate();
          continue;
        }
      }
      out += one;
      at += 1;
    }
  }
  return out;
}

/** After an operator, an opening bracket or `return`, a slash begins a regular expression. */
function isRegexStart(before: string): boolean {
  const code = before.trimEnd();
  return code === '' || /[=(,:[!&|?{};<>+*%~^-]$/.test(code) || /\b(?:return|typeof|case|in|of)$/.test(code);
}
