/** What a template did wrong, in the words Python would have used where they help. */
export type TemplateErrorKind =
  | 'syntax'
  | 'raised'
  | 'undefined'
  | 'type'
  | 'value'
  | 'security'
  | 'limit'
  | 'unsupported';

/** Thrown while a template is compiled or rendered; turned into an `Issue` at the rim. */
export class TemplateError extends Error {
  readonly kind: TemplateErrorKind;
  /** Line of the template, counted from 1, when it is known. */
  line: number | undefined;

  constructor(kind: TemplateErrorKind, message: string, line?: number) {
    super(message);
    this.name = 'TemplateError';
    this.kind = kind;
    this.line = line;
  }
}

export function typeError(message: string): TemplateError {
  return new TemplateError('type', message);
}

export function valueError(message: string): TemplateError {
  return new TemplateError('value', message);
}
