/**
 * A small model of language as files, made from nothing: an ONNX graph that looks words up in a table, and the tokenizer
 * in front of it. Words of one group point nearly the same way, so that tests can ask for meaning and not only for
 * numbers. Field numbers are those of onnx.proto3.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DIMENSIONS = 32;
const SPECIALS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
/** Each line is one meaning. */
const GROUPS = [
  'issue issues ticket tickets bug bugs',
  'create open new add report',
  'weather rain forecast wind temperature storm umbrella',
  'file files document folder text path',
  'email mail message send letter',
  'time clock zone hour timezone',
].map(line => line.split(' '));
const SMALL_WORDS = 'a an the of in to for and is it what server tool agent skill'.split(' ');
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz0123456789'];

/** Writes `<folder>/<name>/...` as transformers.js reads it. */
export function writeTinyModel(folder: string, name: string): { dimensions: number } {
  const words = [...SPECIALS, ...GROUPS.flat(), ...SMALL_WORDS, ...LETTERS, ...LETTERS.map(letter => `##${letter}`)];
  const vocabulary = Object.fromEntries([...new Set(words)].map((word, id) => [word, id]));
  const target = join(folder, name);
  mkdirSync(join(target, 'onnx'), { recursive: true });
  writeFileSync(join(target, 'onnx', 'model.onnx'), modelOf(Object.keys(vocabulary)));
  const json = (file: string, value: unknown) => writeFileSync(join(target, file), JSON.stringify(value));
  json('config.json', { model_type: 'bert', hidden_size: DIMENSIONS, vocab_size: Object.keys(vocabulary).length });
  json('tokenizer_config.json', {
    ...{ tokenizer_class: 'BertTokenizer', do_lower_case: true, model_max_length: 128 },
    ...{ pad_token: '[PAD]', unk_token: '[UNK]', cls_token: '[CLS]', sep_token: '[SEP]', mask_token: '[MASK]' },
  });
  json('tokenizer.json', tokenizerOf(vocabulary));
  return { dimensions: DIMENSIONS };
}

function tokenizerOf(vocabulary: Record<string, number>) {
  const special = (word: string) => ({ id: word, ids: [vocabulary[word]], tokens: [word] });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIALS.map(content => ({
      ...{ id: vocabulary[content], content, special: true },
      ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
    })),
    normalizer: {
      ...{ type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true },
      ...{ strip_accents: null, lowercase: true },
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
      ],
      pair: [],
      special_tokens: { '[CLS]': special('[CLS]'), '[SEP]': special('[SEP]') },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      ...{ type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##' },
      ...{ max_input_chars_per_word: 100, vocab: vocabulary },
    },
  };
}

/** Specials, letters and small words say next to nothing; the rest is its group and a little of its own. */
function rowOf(word: string): Float32Array {
  const group = GROUPS.findIndex(members => members.includes(word));
  if (group === -1) return directionOf(word).map(value => value * 0.02);
  const own = directionOf(word);
  return directionOf(`group ${group}`).map((value, at) => value + 0.25 * (own[at] ?? 0));
}

function directionOf(seed: string): Float32Array {
  const bytes = createHash('sha256').update(seed).digest();
  const values = Float32Array.from(bytes, byte => byte / 127.5 - 1);
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return values.map(value => value / norm);
}

// ---- protocol buffers ----------------------------------------------------------------------------------------------

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
const number = (field: number, value: number) => Buffer.concat([varint(field * 8), varint(value)]);
const bytes = (field: number, value: Uint8Array) => Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
const text = (field: number, value: string) => bytes(field, Buffer.from(value));
const message = (field: number, ...parts: Buffer[]) => bytes(field, Buffer.concat(parts));

const FLOAT = 1;
const INT64 = 7;

function modelOf(words: readonly string[]): Buffer {
  const table = Buffer.concat(words.map(word => Buffer.from(rowOf(word).buffer)));
  const tensor = (name: string, type: number, dims: readonly number[], raw: Buffer) =>
    message(5, ...dims.map(size => number(1, size)), number(2, type), text(8, name), bytes(9, raw));
  const two = Buffer.alloc(8);
  two.writeBigInt64LE(2n);
  const node = (op: string, inputs: readonly string[], output: string, ...attributes: Buffer[]) =>
    message(1, ...inputs.map(input => text(1, input)), text(2, output), text(3, output), text(4, op), ...attributes);
  const castTo = message(5, text(1, 'to'), number(3, FLOAT), number(20, 2));
  const value = (field: number, name: string, type: number, sizes: readonly (string | number)[]) => {
    const dims = sizes.map(size => message(1, typeof size === 'number' ? number(1, size) : text(2, size)));
    return message(field, text(1, name), message(2, message(1, number(1, type), message(2, ...dims))));
  };
  const graph = message(
    7,
    node('Gather', ['table', 'input_ids'], 'looked_up'),
    node('Cast', ['attention_mask'], 'mask', castTo),
    node('Unsqueeze', ['mask', 'axis'], 'wide_mask'),
    node('Mul', ['looked_up', 'wide_mask'], 'last_hidden_state'),
    text(2, 'tiny'),
    tensor('table', FLOAT, [words.length, DIMENSIONS], table),
    tensor('axis', INT64, [1], two),
    value(11, 'input_ids', INT64, ['batch', 'sequence']),
    value(11, 'attention_mask', INT64, ['batch', 'sequence']),
    value(12, 'last_hidden_state', FLOAT, ['batch', 'sequence', DIMENSIONS]),
  );
  return Buffer.concat([number(1, 8), graph, message(8, text(1, ''), number(2, 14))]);
}
