export { newestCheckpoint, type SavedCheckpoint } from './checkpoints.ts';
export { type TrainOutcome, type TrainRequest, train } from './loop.ts';
export { type TrainInputs, trainStage } from './train-stage.ts';
