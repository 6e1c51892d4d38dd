import { expect, test } from 'vitest';
import { userName } from './user-name.ts';

test('what is said comes before what the environment and the machine know', () => {
  const account = (): string => 'acct';
  expect(userName({ env: { MARTLET_USER: 'desk', USER: 'ada' } }, account)).toBe('desk');
  expect(userName({ env: { USER: 'ada', LOGNAME: 'bo' } }, account)).toBe('ada');
  expect(userName({ env: { USER: ' ', LOGNAME: 'bo' } }, account)).toBe('bo');
  expect(userName({ env: {} }, account)).toBe('acct');
});

test('a user without an account has no name', () => {
  const account = (): string => {
    throw new Error('uv_os_get_passwd returned ENOENT');
  };
  expect(userName({ env: {} }, account)).toBeUndefined();
  expect(userName({ env: {} }, () => '')).toBeUndefined();
});
