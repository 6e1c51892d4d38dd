import type { TestContext } from 'vitest';

/**
 * Why a test may be skipped. With CI=true only the first two are accepted: whatever else a test needs, `.ci/run` installs.
 * `accelerator`: no GPU or NPU here. `platform`: the test is about another system. `tool`: something that a user's
 * machine may lack (a Python environment, a C compiler) and that the test compares with.
 */
export const skipKinds = ['accelerator', 'platform', 'tool'] as const;
export type SkipKind = (typeof skipKinds)[number];

export interface SkipNote {
  readonly kind: SkipKind;
  readonly reason: string;
}

declare module 'vitest' {
  interface TaskMeta {
    skip?: SkipNote;
  }
}

/**
 * Goes on only where `found` is there; else the test is skipped, and `npm test` lists it with the reason.
 * For a whole suite call it in `beforeEach`.
 */
export function requireOrSkip<T>(
  context: TestContext,
  found: T,
  note: SkipNote,
): asserts found is Exclude<T, undefined | null | false> {
  if (found) return;
  context.task.meta.skip = note;
  context.skip(note.reason);
}
