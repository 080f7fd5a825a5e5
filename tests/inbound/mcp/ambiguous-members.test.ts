import { describe, expect, test } from 'vitest';
import { isAmbiguous } from '../../../src/inbound/mcp/ambiguous-members.ts';

const judge = (text: string) => {
  JSON.parse(text);
  return isAmbiguous(text);
};

describe('what two readers would read differently', () => {
  test.each([
    { text: '{"jsonrpc":"2.0","method":"ping","method":"tools/call"}', because: 'two methods' },
    { text: '{"id":1,"method":"ping","id":2}', because: 'two ids' },
    { text: '{"method":"tools/call","m\\u0065thod":"ping"}', because: 'two methods, one in disguise' },
    { text: '{"Method":"tools/call"}', because: 'a method with a capital' },
    { text: '{"method":"ping","METHOD":"tools/call"}', because: 'a method in capitals beside one' },
    { text: '{"method":"tools/call","param\u017f":{}}', because: 'params with a long s' },
    { text: '{"method":"tools/call","param\\u017f":{}}', because: 'the same, escaped' },
    { text: '{"method":"tools/call","params":{"name":"a","name":"b"}}', because: 'two names' },
    { text: '{"params":{"name":"a"},"method":"x","params":{"name":"b"}}', because: 'two params' },
    { text: '{"method":"tools/call","params":{"name":"a","Name":"b"}}', because: 'a second name with a capital' },
    { text: '{"params":{"name":"a","arguments":{},"arguments":{"x":1}}}', because: 'two arguments' },
    { text: '{"params":{"tas\u212aid":"a"}}', because: 'a Kelvin sign' },
    { text: '{"params":{"taskid":"a"}}', because: 'a task id all small' },
    { text: ' [ {"method":"a"} , {"method":"a","method":"b"} ] ', because: 'in the second of a batch' },
    {
      text: `{"params":{${Array.from({ length: 40 }, (_, i) => `"k${i}":0,`).join('')}"k33":1}}`,
      because: 'among many',
    },
    { text: '{"params":{"name":"\\\\","name":"b"}}', because: 'behind a text that ends in a backslash' },
    {
      text: `{"params":{"x":"${'y'.repeat(47)}\\"${'z'.repeat(90)}\\\\","name":"a","name":"b"}}`,
      because: 'behind a long text',
    },
    { text: '{"a":1,"a":1}', because: 'anything twice' },
  ])('$because', ({ text }) => expect(judge(text)).toBe(true));
});

describe('what everybody reads alike', () => {
  test.each([
    {
      text: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"name":"x"},"_meta":{}}}',
      because: 'a call',
    },
    {
      text: '{"params":{"name":"a","arguments":{"Method":1,"name":1,"NAME":2,"x":1,"x":2}}}',
      because: 'any arguments',
    },
    { text: '{"result":{"Name":1,"name":2,"a":[{"id":1,"ID":2}]}}', because: 'any result' },
    {
      text: '{"params":{"taskId":"a","requestState":"b","inputResponses":{}}}',
      because: 'names that are spelled with capitals',
    },
    { text: '{"method":"x","params":[{"name":1},{"name":2}]}', because: 'params that are no object' },
    { text: '[]', because: 'an empty batch' },
    { text: '[1,"a",null,{"method":"a"},[{"id":1,"id":2}]]', because: 'a batch of what are no messages' },
    { text: '{}', because: 'nothing' },
    { text: '"method"', because: 'a text' },
    { text: '{"id":"\\"method\\":1,\\"method\\":2","method":"x"}', because: 'a text that looks like members' },
    { text: '{"a":{"b":[1,2,{"c":"}"}]},"d":-1.5e3,"e":true,"f":null}', because: 'nesting' },
    { text: `{"x":"${'\\\\'.repeat(60)}","y":"${'\\"'.repeat(60)}","z":1}`, because: 'texts full of backslashes' },
  ])('$because', ({ text }) => expect(judge(text)).toBe(false));

  test('says the same as a slow and careful reader, for thousands of messages', () => {
    let seed = 42;
    const random = (n: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (seed >> 8) % n;
    };
    const keys = ['id', 'method', 'params', 'name', 'Name', 'x', 'y"', '\\', 'm\u00e9', 'uri'];
    const write = (depth: number): { text: string; twins: boolean; params: boolean } => {
      const members: string[] = [];
      const seen = new Set<string>();
      let twins = false;
      for (let i = random(5); i > 0; i--) {
        const key = keys[random(keys.length)] ?? '';
        twins ||= seen.has(key) || (depth === 1 && key === 'Name');
        seen.add(key);
        const inner = depth < 3 && random(2) === 0 ? write(depth + 1) : null;
        const value = inner?.text ?? JSON.stringify(['\\"', 'a'.repeat(random(120)), 1.5, null, [{}, '}']][random(5)]);
        if (depth === 0 && key === 'params') twins ||= inner?.twins ?? false;
        members.push(`${' '.repeat(random(2))}${JSON.stringify(key)}${' '.repeat(random(2))}: ${value}`);
      }
      return { text: `{${members.join(',')} }`, twins, params: false };
    };
    for (let i = 0; i < 5_000; i++) {
      const { text, twins } = write(0);
      expect(judge(text), text).toBe(twins);
    }
  });
});
