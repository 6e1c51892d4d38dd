import { TemplateError } from './error.ts';
import type { Filter } from './library.ts';

/** Turning links into HTML has no place in what a model reads; refusing is better than a text that differs. */
export const urlize: Filter = () => {
  throw new TemplateError('unsupported', 'the filter urlize makes HTML, which a chat template has no use for');
};
