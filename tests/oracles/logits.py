"""Logits by transformers, and by peft when there is an adapter: shows that what we wrote can be loaded.

request: model (folder), adapter (PEFT folder, optional), merge (fold the adapter into the weights first),
sequences [[id]], out (safetensors file: `logits.<index>` [T, V], float32), dtype (float32).
answer: architecture, parameters, tied (whether input and output embeddings are one), missing and unexpected
(tensor names that the folder lacks, or that the model has no place for).
"""

from common import Answer, Request, load_adapter, logits_of, main


def run(request: Request) -> Answer:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    model, info = AutoModelForCausalLM.from_pretrained(
        request["model"],
        dtype=getattr(torch, request.get("dtype", "float32")),
        attn_implementation="eager",
        output_loading_info=True,
    )
    base = model.eval()
    parameters = sum(value.numel() for value in base.parameters())
    if request.get("adapter"):
        model = load_adapter(base, request["adapter"])
        if request.get("merge"):
            model = model.merge_and_unload()
    with torch.inference_mode():
        tensors = {f"logits.{index}": logits_of(model, ids).float() for index, ids in enumerate(request["sequences"])}
    save_file(tensors, request["out"])
    return {
        "architecture": type(base).__name__,
        "parameters": parameters,
        "tied": base.get_input_embeddings().weight is base.get_output_embeddings().weight,
        "missing": sorted(info["missing_keys"]),
        "unexpected": sorted(info["unexpected_keys"]),
    }


if __name__ == "__main__":
    main(run)
