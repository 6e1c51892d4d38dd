import { MartletError } from '../core/error.ts';
import { formatIssue, formatPath, type Issue } from '../core/issue.ts';

/** An error as OpenAI's clients read it. */
export interface ApiError {
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 415 | 429 | 500 | 503;
  readonly body: {
    readonly error: {
      readonly message: string;
      readonly type: string;
      /** The field that is wrong. */
      readonly param: string | null;
      readonly code: string | null;
    };
  };
}

const types: Readonly<Record<ApiError['status'], string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'invalid_request_error',
  405: 'invalid_request_error',
  413: 'invalid_request_error',
  415: 'invalid_request_error',
  429: 'rate_limit_error',
  500: 'server_error',
  503: 'server_error',
};

export function apiError(
  status: ApiError['status'],
  error: { readonly message: string; readonly code: string; readonly param?: string },
): ApiError {
  const { message, code, param = null } = error;
  return { status, body: { error: { message, type: types[status], param, code } } };
}

/** Everything that is wrong with a request, under the name of the first field. */
export function issuesApiError(issues: readonly Issue[]): ApiError {
  const first = issues[0];
  return apiError(400, {
    message: issues.map((issue) => formatIssue(issue).replace(/ \[[a-z-]+\]$/, '')).join('\n'),
    code: (first?.code ?? 'bad-request').replaceAll('-', '_'),
    ...(first && first.path.length > 0 && { param: formatPath(first.path) }),
  });
}

/** What a failure on our side is told as: its own words when it was foreseen, none of its insides when it was not. */
export function failureApiError(error: unknown): ApiError {
  if (!MartletError.is(error)) return apiError(500, { message: 'the server failed', code: 'internal_error' });
  const message = error.hint ? `${error.message}. ${error.hint}` : error.message;
  const code = error.code.replaceAll('-', '_');
  if (error.code === 'invalid-input')
    return apiError(400, { message: error.issues.map((each) => each.message).join('\n'), code, param: 'messages' });
  if (error.code === 'tools_unsupported') return apiError(400, { message, code, param: 'tools' });
  if (error.code === 'context_length_exceeded') return apiError(400, { message, code, param: 'messages' });
  // The code that OpenAI and vLLM have for both: clients look for it.
  if (error.code === 'max_tokens_too_large')
    return apiError(400, { message, code: 'context_length_exceeded', param: 'max_tokens' });
  return apiError(error.retryable ? 503 : 500, { message, code });
}
