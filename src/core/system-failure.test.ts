import { describe, expect, test } from 'vitest';
import { MartletError } from './error.ts';
import { systemFailure } from './system-failure.ts';

const fromSystem = (code: string): Error => Object.assign(new Error(`${code}: no, write`), { code, syscall: 'write' });

describe('what the machine meant', () => {
  test.each([
    ['ENOSPC', 'disk-full'],
    ['EDQUOT', 'disk-full'],
    ['EFBIG', 'file-too-large'],
    ['EROFS', 'disk-failed'],
    ['ENOMEM', 'out-of-memory'],
  ])('%s is %s', (code, meaning) => {
    const found = systemFailure(fromSystem(code));
    expect(found).toMatchObject({ code: meaning, retryable: true });
    expect(found?.message).toContain(code);
    expect(found?.hint).not.toBe('');
  });

  test.each([
    'std::bad_alloc',
    'bad allocation',
    '# Fatal process OOM in Failed to reserve virtual memory for CodeRange',
    'Array buffer allocation failed',
    'Non-zero status code: Failed to allocate memory for requested buffer of size 1073741824',
  ])('"%s" speaks of memory', (message) => {
    expect(systemFailure(new Error(message))?.code).toBe('out-of-memory');
  });

  test('the cause of a wrapped error is found', () => {
    const wrapped = new MartletError('bug', 'ONNX Runtime refuses a graph', { cause: new Error('std::bad_alloc') });
    expect(systemFailure(wrapped)?.code).toBe('out-of-memory');
  });

  test('an error that hid another one while cleaning up is looked into', async () => {
    const full = fromSystem('ENOSPC');
    const hidden = await (async () => {
      await using _file = { [Symbol.asyncDispose]: () => Promise.reject(new Error('closed twice')) };
      throw full;
    })().catch((error: unknown) => error);
    expect(systemFailure(hidden)).toMatchObject({ code: 'disk-full', message: `the disk is full: ${full.message}` });
  });

  test('anything else is not the machine', () => {
    for (const other of [new Error('no such tensor'), fromSystem('ENOENT'), 'ENOSPC', undefined])
      expect(systemFailure(other)).toBeUndefined();
  });
});
