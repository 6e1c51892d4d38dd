export {
  listAnswers,
  openAnswer,
  type RecordedJudgement,
  type RequestMessage,
  type ReviewedAnswer,
} from './answers.ts';
export { type BuildFeedbackRequest, buildFeedback } from './feedback.ts';
export { type Judged, type JudgeRequest, judge, judgedLine, unsupportedClaims } from './judge.ts';
