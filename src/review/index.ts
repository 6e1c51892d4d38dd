export { listAnswers, openAnswer, type RequestMessage, type ReviewedAnswer } from './answers.ts';
export { type BuildFeedbackRequest, buildFeedback } from './feedback.ts';
export { type JudgeRequest, judge, unsupportedClaims } from './judge.ts';
