export { type BuildShardsRequest, buildShards } from './build-shards.ts';
export type { Encoded, EncodeSample } from './documents.ts';
export { type ShardInputs, shardStage } from './shard-stage.ts';
