import { hash } from 'node:crypto';
import { canonicalJson } from '../core/canonical-json.ts';
import { isAnswered } from '../core/is-answered.ts';
import type { RowContent } from './columns.ts';

/**
 * The fingerprint of what a row teaches: where it came from, and columns nobody interprets, do not count; but for a row
 * without an answer, whose columns are what scorers go by.
 */
export function contentId(
  content: RowContent & Partial<Record<'terms' | 'id' | 'split' | 'provenance', unknown>>,
): string {
  const { terms: _, id: __, split: ___, provenance: ____, extra, margin: _____, ...taught } = content;
  return hash('sha256', canonicalJson({ ...taught, ...(!isAnswered(taught) && { extra }) }));
}
