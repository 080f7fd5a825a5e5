import { describe, expect, test } from 'vitest';
import { findLikeness, formsOf } from '../../src/domain/look-alike.ts';
import { createNameNeighbours } from '../../src/domain/name-neighbours.ts';

/** Written in code points: what looks equal here would look equal in a review. */
const alike = [
  { one: 'send_email', other: '\u0455end_email', likeness: 'confusable', because: 'a Cyrillic letter' },
  { one: 'search', other: '\u0455\u0435\u0430r\u0441h', likeness: 'confusable', because: 'several of them' },
  { one: 'list_notes', other: 'list_n\u03bftes', likeness: 'confusable', because: 'a Greek letter' },
  { one: 'send_email', other: '\uff53\uff45nd_email', likeness: 'confusable', because: 'letters of full width' },
  { one: 'send_email', other: 'send\u200b_email', likeness: 'confusable', because: 'a space without width' },
  { one: 'send_email', other: 's\u00e9nd_email', likeness: 'confusable', because: 'an accent' },
  { one: 'send_email', other: 'send_emai1', likeness: 'confusable', because: 'a digit for a letter' },
  { one: 'list_files', other: 'Iist_files', likeness: 'confusable', because: 'a capital i for a small L' },
  { one: 'send_email', other: 'send_email_v2', likeness: 'version', because: 'a version' },
  { one: 'send_email', other: 'sendEmail2', likeness: 'version', because: 'a version in another style' },
  { one: 'send_email', other: 'send-email-2', likeness: 'version', because: 'a number behind a separator' },
  { one: 'send_email', other: 'send_emaul', likeness: 'typo', because: 'one letter is another' },
  { one: 'send_email', other: 'send_emial', likeness: 'typo', because: 'two letters changed places' },
  { one: 'send_email', other: 'send_eemail', likeness: 'typo', because: 'one letter more' },
] as const;

const apart = [
  { one: 'send_email', other: 'send_email', because: 'the same name is ordinary' },
  { one: 'send_email', other: 'sendEmail', because: 'another style of writing it is the same name' },
  { one: 'send_email', other: 'SEND-EMAIL', because: 'so are capitals' },
  { one: 'get_user', other: 'get_users', because: 'one and many are English' },
  { one: 'summarise_text', other: 'summarize_text', because: 'so are two ways of spelling' },
  { one: 'get_node', other: 'get_note', because: 'short words are one letter apart by chance' },
  { one: 'list_posts', other: 'list_hosts', because: 'a first letter is seen' },
  { one: 'sha1', other: 'sha256', because: 'a size is no version' },
  { one: 'get_user_v1', other: 'get_user_v2', because: 'two versions are told apart' },
  { one: 's3', other: 's', because: 'too short to be the version of anything' },
  { one: 'send_email', other: 'send_mail_now', because: 'they are different names' },
] as const;

describe('two names', () => {
  test.each(alike)('are taken for each other: $because', ({ one, other, likeness }) => {
    expect(findLikeness(formsOf(one), formsOf(other))).toBe(likeness);
    expect(findLikeness(formsOf(other), formsOf(one))).toBe(likeness);
  });

  test.each(apart)('are not taken for each other: $because', ({ one, other }) => {
    expect(findLikeness(formsOf(one), formsOf(other))).toBeNull();
    expect(findLikeness(formsOf(other), formsOf(one))).toBeNull();
  });
});

describe('among the names of other servers', () => {
  test.each(alike)('a name is found by what it looks like: $because', ({ one, other, likeness }) => {
    const names = createNameNeighbours();
    names.add('a', one);
    names.add('b', other);
    expect(names.find('b', other)).toEqual([{ tool: one, servers: ['a'], likeness }]);
    expect(names.find('a', one)).toEqual([{ tool: other, servers: ['b'], likeness }]);
    names.remove('a', one);
    expect(names.find('b', other)).toEqual([]);
  });

  test('a server is not like itself, nor like one that has both names', () => {
    const names = createNameNeighbours();
    for (const tool of ['send_email', 'send_email_v2']) names.add('a', tool);
    expect(names.find('a', 'send_email')).toEqual([]);
    names.add('b', 'send_email_v2');
    expect(names.find('b', 'send_email_v2')).toEqual([]);
  });

  test('a name that looks equal is found also where its server has the true one', () => {
    const names = createNameNeighbours();
    names.add('a', 'send_email');
    for (const tool of ['send_email', '\u0455end_email']) names.add('thief', tool);
    expect(names.find('thief', '\u0455end_email')).toMatchObject([{ servers: ['a'], likeness: 'confusable' }]);
    expect(names.find('a', 'send_email')).toMatchObject([{ servers: ['thief'], likeness: 'confusable' }]);
  });

  test('whoever came first is found however many likenesses come after', () => {
    const names = createNameNeighbours();
    names.add('a', 'send_message');
    for (let n = 0; n < 2000; n++) names.add('thief', `send_mess${String.fromCodePoint(0x4e00 + n)}age`);
    expect(names.find('thief', 'send_mess\u4e00age')[0]).toMatchObject({ tool: 'send_message', servers: ['a'] });
    expect(names.find('a', 'send_message').length).toBeLessThan(200);
  });
});
