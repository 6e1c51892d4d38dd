export { type BuildShardsRequest, buildShards, recipePart } from './build-shards.ts';
export { countTokens, type TokenCounts } from './count-tokens.ts';
export {
  type Document,
  documentsOf,
  type Encoded,
  type EncodeSample,
  type RowDocuments,
  rowDocuments,
} from './documents.ts';
export { type EncodeBlock, type EncodedBlock, encodeBlock } from './encode-block.ts';
export { type Losses, refuseLosses } from './refuse-losses.ts';
export { type ShardInputs, shardStage } from './shard-stage.ts';
export { type StreamShardsRequest, streamShards } from './stream-shards.ts';
export { type OpenWindowsRequest, openWindows, type ShardWindows } from './windows.ts';
