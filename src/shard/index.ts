export { type BuildShardsRequest, buildShards } from './build-shards.ts';
export { countTokens, type TokenCounts } from './count-tokens.ts';
export { documentsOf, type Encoded, type EncodeSample } from './documents.ts';
export { type EncodeBlock, type EncodedBlock, encodeBlock } from './encode-block.ts';
export { type ShardInputs, shardStage } from './shard-stage.ts';
export { type StreamShardsRequest, streamShards } from './stream-shards.ts';
export { type OpenWindowsRequest, openWindows, type ShardWindows } from './windows.ts';
