import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from 'vitest';
import { runMartlet } from './test-context.ts';

const scratch = mkdtempSync(join(tmpdir(), 'martlet-inspect-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
writeFileSync(join(scratch, 'rows.jsonl'), '{"frage": "Sky?", "answer": "blue"}\n{"frage": "Grass?", "answer": ""}\n');
writeFileSync(
  join(scratch, 'recipe.yaml'),
  'name: tiny\nbase: ./model\ndata:\n  sources:\n    - from: rows.jsonl\n      columns: { frage: query }\n',
);

async function martlet(...argv: string[]): Promise<{ exit: number; out: string; err: string }> {
  return runMartlet(argv, { cwd: scratch, env: { MARTLET_HOME: join(scratch, 'home') } });
}

test('a recipe: every source as it is understood, and what is left out', async () => {
  const { exit, out } = await martlet('data', 'inspect', 'recipe.yaml');
  expect(exit).toBe(0);
  expect(out).toContain('query, because the rows have query, answer as response');
  expect(out).toContain('2: 1 usable, 1 invalid');
  expect(out).toContain('1 empty-answer');
  expect(out).toMatch(/user {8}Sky\?\nassistant {3}blue/);
});

test('a source alone: what is not clear is asked, and --set answers', async () => {
  const unclear = await martlet('data', 'inspect', 'rows.jsonl');
  expect(unclear.exit).toBe(2);
  expect(unclear.err).toContain('format-unknown');
  const { out } = await martlet(
    ...['data', 'inspect', 'rows.jsonl', '--set', 'data.sources[0].columns={"frage":"query"}', '--json', '--rows', '1'],
  );
  const [inspection] = JSON.parse(out) as { format: string; samples: { messages: unknown[] }[] }[];
  expect(inspection?.format).toBe('query');
  expect(inspection?.samples).toMatchObject([{ messages: [{ content: 'Sky?' }, { content: 'blue' }] }]);
});

test('a database: the command to try keeps its query', async () => {
  const database = new DatabaseSync(join(scratch, 'news.db'));
  database.exec("CREATE TABLE t(id, ask, tell); INSERT INTO t VALUES (1, 'Why?', 'Because it''s late.')");
  database.close();
  const query = "data.sources[0].query=SELECT * FROM t WHERE ask <> 'x' ORDER BY id";
  const { err } = await martlet('data', 'inspect', 'sqlite:news.db', '--set', query);
  expect(err).toContain(
    `--set '${query.replaceAll("'", "'\\''")}' --set 'data.sources[0].columns={ ask: query, tell: response }'`,
  );
});
