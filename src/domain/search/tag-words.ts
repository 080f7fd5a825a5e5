/** `#tag` in a request: what must be on whatever is found, not a word to look for. */

const TAG_WORD = /(?<=^|\s)#([\p{L}\p{N}][\p{L}\p{N}._:/-]*)(?=\s|$)/gu;

/** `tags`: lower case, each once. `text` is what is left; of a request that is nothing but tags their words are asked for. */
export function splitTagWords(query: string): { text: string; tags: string[] } {
  const tags = [...new Set(Array.from(query.matchAll(TAG_WORD), ([, tag = '']) => tag.toLowerCase()))];
  const text = query.replace(TAG_WORD, ' ').replace(/\s+/g, ' ').trim();
  return { text: text === '' ? tags.join(' ') : text, tags };
}
