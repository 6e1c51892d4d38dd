"""Greedy answers by transformers.generate, one prompt at a time.

request: model (folder), adapter (PEFT folder, optional), prompts [[id]], maxTokens, stopTokens [id].
answer: completions [[id]], without the stop token.
"""

from common import Answer, Request, load_adapter, load_model, main


def run(request: Request) -> Answer:
    import torch

    model = load_model(request["model"])
    if request.get("adapter"):
        model = load_adapter(model, request["adapter"])
    stop = request["stopTokens"]
    completions = []
    for prompt in request["prompts"]:
        ids = torch.tensor([prompt])
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                num_beams=1,
                max_new_tokens=request["maxTokens"],
                eos_token_id=stop or None,
                pad_token_id=stop[0] if stop else 0,
                # Both come from a model's own generation_config.json, and would make the search other than greedy.
                repetition_penalty=1.0,
                no_repeat_ngram_size=0,
            )
        new = out[0, len(prompt) :].tolist()
        completions.append(new[:-1] if new and new[-1] in stop else new)
    return {"completions": completions}


if __name__ == "__main__":
    main(run)
