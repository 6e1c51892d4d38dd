"""One stream of greedy answers by transformers.generate, fp32.

python transformers_generate.py <model folder> <requests.json>: {questions [str], newTokens}. Answers end early only at
the model's own stop token. Prints {tokens, seconds} for each question after the first, which warms up; the time spans
the prompt too.
"""

import json
import time

from meter import arguments, say

import torch
import transformers


def main() -> None:
    folder, file = arguments(2)
    with open(file) as stream:
        request = json.load(stream)
    say(versions={"transformers": transformers.__version__, "torch": torch.__version__})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for index, question in enumerate(request["questions"]):
        started = time.perf_counter()
        messages = [{"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False)])
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=request["newTokens"],
                pad_token_id=0,
            )
        if index > 0:
            say(tokens=out.shape[1] - ids.shape[1], seconds=time.perf_counter() - started)


if __name__ == "__main__":
    main()
