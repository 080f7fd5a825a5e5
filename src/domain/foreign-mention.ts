/**
 * Which tools and servers a definition speaks of in sentences that tell a model what to do. A server has no business to
 * direct the tools of others: such a sentence works on calls that never come near it. Read here: names by their form. Whose
 * they are, and whether it is somebody else, is for those who know all servers.
 */
import type { Json, JsonObject } from './json.ts';
import { plainOf, skeletonOf } from './look-alike.ts';

export interface Mentions {
  /** Names of tools, own or public: what they look like, and the letters they are written in. */
  tools: ReadonlyMap<string, string>;
  servers: ReadonlyMap<string, string>;
}

/** Texts beyond these are read by no model either. */
const MAX_TEXT = 50_000;
const MAX_NODES = 5000;
const MAX_MENTIONS = 200;

const SENTENCE_END = /(?<=[.!?;])\s+|\n+/;
/** Words that direct: order, duty, preference, and what is to be done with a tool. */
const DIRECTS = new RegExp(
  String.raw`\b(?:${[
    'before|after|first|then|prior|once|when|whenever|while|until|every time|instead|rather|prefer',
    "must|always|never|not|don't|should|shall|need|needs|required?|ensure|make sure|only|also",
    'use|using|used|call|calling|calls|called|invoke|invoking|run|running|execute|trigger|send|pass|forward|redirect',
    'ignore|override|overrides|replace|replaces|supersedes?|disable|disabled|deprecated|broken|unsafe|avoid|skip|stop',
    'affects?|changes?|modif(?:y|ies)|applies|available|present',
  ].join('|')})\b`,
  'iu',
);

const NAME = String.raw`[\p{L}\p{N}][\p{L}\p{N}_.:/-]{0,127}`;
const WRITTEN = new RegExp(NAME, 'gu');
/** `send_email`, `sendEmail`, `mail__send`: no word of a language is written so. `WhatsApp` is one that somebody owns. */
const HAS_FORM = /[\p{L}\p{N}]_+[\p{L}\p{N}]|^\p{Ll}[\p{Ll}\p{N}]*\p{Lu}|\p{L}-\p{L}+-\p{L}/u;
const QUOTE = '["\'`\u2018\u2019\u201c\u201d(]{0,2}';
/** A plain word is a name where it stands beside the word tool. */
const AS_TOOL = [
  new RegExp(String.raw`(${NAME})(?:\(\))?[\x60"')]{0,2}\s+(?:mcp\s+)?(?:tool|function)\b`, 'giu'),
  new RegExp(String.raw`\b(?:tool|function)s?\s+(?:named\s+|called\s+)?[\x60"'](${NAME})[\x60"']`, 'giu'),
];
const AS_SERVER = [
  new RegExp(String.raw`${QUOTE}\b(${NAME})${QUOTE}\s+(?:mcp[\s-]+)?server\b`, 'giu'),
  new RegExp(String.raw`\bserver\s+(?:named\s+|called\s+)?${QUOTE}(${NAME})`, 'giu'),
  new RegExp(String.raw`\b(?:tool|function)s?\s+(?:of|from|on|by)\s+(?:the\s+)?${QUOTE}(${NAME})`, 'giu'),
];

/** Words that stand before the words tool and server and name none. */
const NO_NAMES: ReadonlySet<string> = new Set(
  'the this that these those any each every some all both which what same other another one first next last new only mcp'.split(
    ' ',
  ),
);

/** Shape: its own name and those of its parameters are left out, as they are written: to look like one's own is no excuse. */
export function readMentions(definition: JsonObject): Mentions {
  const { texts, ownWords } = textsOf(definition);
  const tools = new Map<string, string>();
  const servers = new Map<string, string>();
  const add = (to: Map<string, string>, written: string) => {
    const [skeleton, plain] = [skeletonOf(written), plainOf(written)];
    const isName = skeleton.length >= 3 && !NO_NAMES.has(plain) && !ownWords.has(plain);
    if (isName && to.size < MAX_MENTIONS) to.set(skeleton, plain);
  };
  for (const text of texts) {
    for (const sentence of text.split(SENTENCE_END)) {
      if (!DIRECTS.test(sentence)) continue;
      for (const [written] of sentence.matchAll(WRITTEN)) if (HAS_FORM.test(written)) add(tools, written);
      for (const form of AS_TOOL) for (const [, written = ''] of sentence.matchAll(form)) add(tools, written);
      for (const form of AS_SERVER) for (const [, written = ''] of sentence.matchAll(form)) add(servers, written);
    }
  }
  return { tools, servers };
}

/** Every string of it but its name: a schema speaks as well as a description does. */
function textsOf(definition: JsonObject): { texts: string[]; ownWords: Set<string> } {
  const texts: string[] = [];
  const ownWords = new Set(typeof definition.name === 'string' ? [plainOf(definition.name)] : []);
  const todo: Json[] = Object.entries(definition).flatMap(([key, value]) => (key === 'name' ? [] : [value]));
  let length = 0;
  for (let at = 0; at < todo.length && length < MAX_TEXT; at++) {
    const value = todo[at] as Json;
    if (typeof value === 'string') {
      // NFKC: letters of full width are letters; what no reader sees is gone from between them.
      const text = value
        .slice(0, MAX_TEXT - length)
        .normalize('NFKC')
        .replaceAll(/\p{DI}/gu, '');
      length += text.length;
      texts.push(text);
    } else if (typeof value === 'object' && value !== null) {
      const isList = Array.isArray(value);
      for (const [key, below] of Object.entries(value).slice(0, MAX_NODES - todo.length)) {
        if (!isList) ownWords.add(plainOf(key));
        todo.push(below);
      }
    }
  }
  return { texts, ownWords };
}
