import type { Issue } from '../core/issue.ts';
import type { Json } from '../schema/common.ts';

export type JsonObject = { [key: string]: Json };

export function issue(path: readonly (string | number)[], message: string, expected?: string, fix?: string): Issue {
  return {
    code: 'bad-request',
    severity: 'error',
    path,
    message,
    ...(expected === undefined ? {} : { expected }),
    ...(fix === undefined ? {} : { fix }),
  };
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function shown(value: Json | undefined): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
