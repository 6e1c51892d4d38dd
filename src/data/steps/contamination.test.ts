import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { testFolder } from '../test-rows.ts';
import { chat, openedStep as opened } from '../test-samples.ts';

const files = testFolder();
afterAll(() => files.remove());

test('contamination names the passage and where it stands', async () => {
  const against = join(files.folder, 'eval.jsonl');
  writeFileSync(
    against,
    `${JSON.stringify({ q: ['nothing here'] })}\n${JSON.stringify({ q: { text: 'The quick, brown fox jumps over the lazy dog' } })}\n`,
  );
  const step = await opened({ step: 'contamination', against: [against], words: 5 });
  expect(step.apply(chat('q', 'So THE QUICK BROWN fox - jumps!'))?.drop).toMatchObject({
    fate: 'contaminated',
    reason: expect.stringContaining(`${against}:2: "the quick brown fox jumps"`),
  });
  expect(step.apply(chat('q', 'the quick brown fox walks'))).toBeNull();
});

describe('contamination reads its files as sources are read', () => {
  const question = 'What did the council of Elstow decide about bus routes on day nine of the session?';
  const jsonl = `${JSON.stringify({ question, answer: 'to keep them' })}\n`;
  const against = (name: string, content: string | Uint8Array) => {
    const file = join(files.folder, name);
    writeFileSync(file, content);
    return opened({ step: 'contamination', against: [file] });
  };

  test('packed and as a table', async () => {
    for (const [name, content] of [
      ['exam.jsonl.gz', gzipSync(jsonl)],
      ['exam.json', `[${jsonl}]`],
      ['exam.csv', `question,answer\n"${question}","to keep\nthem"\n`],
      ['exam.txt', question],
    ] as const) {
      const step = await against(name, content);
      expect(step.apply(chat(question, 'no'))?.drop?.reason, name).toContain(name);
      expect(step.notes?.[0], name).toMatch(/^compared with \d texts? of .*: 4 passages of 13 words/);
    }
  });

  test('and refuses what is none, is cut off, or holds nothing', async () => {
    for (const [name, content, reason] of [
      ['utf16.csv', Buffer.from(`\ufeff${question}`, 'utf16le'), /UTF-16/],
      ['cut.jsonl.gz', gzipSync(jsonl).subarray(0, 60), /cut\.jsonl\.gz/],
      ['empty.jsonl', '', /holds no text to compare with/],
      ['prose.log', question, /prose\.log:1.*JSON/],
    ] as const)
      await expect(against(name, content), name).rejects.toMatchObject({
        issues: [{ code: 'exam-unreadable', message: expect.stringMatching(reason) }],
      });
  });
});

test('contamination names every file that it cannot read, each with its fix', async () => {
  const [empty, wide] = [files.write('none.jsonl', ''), join(files.folder, 'wide.csv')];
  writeFileSync(wide, Buffer.from('\ufeffa,b', 'utf16le'));
  await expect(opened({ step: 'contamination', against: [empty, wide] })).rejects.toThrow(
    /none\.jsonl holds no text .*\(Fill it, or take it out\); .*wide\.csv is a UTF-16 file.*\(Convert it: iconv/,
  );
});

test('contamination compares rows of an exam without a passage as a whole, and says which it cannot', async () => {
  const against = files.write(
    'short-exam.jsonl',
    [
      { id: 'town-1', question: 'Mayor of town 1?', answer: 'Ms Number 1.' },
      { question: 'Is it far?', answer: 'yes' },
      { question: 'Why?', answer: 'yes' },
    ]
      .map((line) => JSON.stringify(line))
      .join('\n'),
  );
  const step = await opened({ step: 'contamination', against: [against] });
  expect(step.apply(chat('mayor of town 1', 'It is Ms. Number 1'))?.drop?.reason).toBe(
    `holds the whole of ${against}:1: "town 1 | mayor of town 1 | ms number 1"`,
  );
  expect(step.apply(chat('Is it far?', 'Yes!'))?.drop?.reason).toContain(`${against}:2`);
  expect(step.apply(chat('Is it far?', 'Yes, by train.'))).toBeNull();
  expect(step.apply(chat('Mayor of town 1?', 'Ms Number 2.'))).toBeNull();
  expect(step.apply(chat('Why?', 'yes'))).toBeNull();
  expect(step.notes).toEqual([
    `compared with 7 texts of ${against}: 0 passages of 13 words, and 2 shorter rows as a whole`,
    `1 row of the evaluation sets cannot be compared, with fewer than 4 words; the first: ${against}:3`,
  ]);
});
