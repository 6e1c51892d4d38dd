import { expect, test } from 'vitest';
import { parseFeedbackAddress } from './feedback-address.ts';

test.each([
  ['feedback/desk@3', { name: 'desk', version: 3 }],
  ['feedback/desk@3#20', { name: 'desk', version: 3 }],
  ['feedback/desk', { name: 'desk', version: null }],
  ['feedback/desk@latest', { name: 'desk', version: null }],
  ['feedback/team/desk@12', { name: 'team/desk', version: 12 }],
  ['feedback/rows.jsonl', null],
  ['feedback/*.jsonl', null],
  ['./feedback/desk', null],
  ['rows/feedback/desk@3', null],
])('%s is read as %j', (from, read) => {
  expect(parseFeedbackAddress(from)).toEqual(read);
});
