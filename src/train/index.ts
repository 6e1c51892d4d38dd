export { newestCheckpoint, type SavedCheckpoint } from './checkpoints.ts';
export { lossCurve, readEvents } from './event-log.ts';
export { type TrainOutcome, type TrainRequest, train } from './loop.ts';
