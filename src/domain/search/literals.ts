/**
 * What is written out in a request is of a kind, and tools speak of the kind: nobody describes a tool by `notes.txt` or by
 * `17`, but as one for a file or a number. In short requests alone: in a long one most of what is written out stands beside
 * the point, and there are words enough.
 */
const MOST_WORDS = 8;

const FILE_ENDINGS = [
  'txt md pdf csv tsv json xml ya?ml toml ini log docx? xlsx? pptx? odt',
  'png jpe?g gif svg webp mp3 mp4 wav zip tar gz py js ts java cpp h sh sql ipynb parquet',
].flatMap(line => line.split(' '));

/** A number stands alone: what is joined to others is a date, an address, a version or a name. */
const KINDS: readonly (readonly [kind: string, written: RegExp])[] = [
  ['file', new RegExp(String.raw`[\p{L}\p{N}_-]\.(?:${FILE_ENDINGS.join('|')})(?![\p{L}\p{N}_])`, 'iu')],
  ['number', /(?<![\p{L}\p{N}.:/_-])\p{N}+(?:\.\p{N}+)?(?![\p{L}\p{N}:/_-]|\.\p{N})/u],
];

/** Shape: each once; empty for a request of more than a few words. */
export function kindsWritten(text: string): string[] {
  if (text.trim().split(/\s+/).length > MOST_WORDS) return [];
  return KINDS.flatMap(([kind, written]) => (written.test(text) ? [kind] : []));
}
