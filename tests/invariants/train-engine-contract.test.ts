import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, test } from 'vitest';
import { embeddedEngine } from '../../src/engine/embedded.ts';
import { martletHome } from '../../src/envs/home.ts';
import { trainEngineContract } from '../../src/testing/train-engine-contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'martlet-contract-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { env } = process;
const embedded = embeddedEngine({ home: martletHome(env), env, log: () => {} });

describe('the embedded engine keeps the contract of spec/TrainEngine', () => {
  for (const { name, run } of trainEngineContract({ engine: embedded, folder })) test.concurrent(name, run);
});
