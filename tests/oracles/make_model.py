"""A tiny random model, and a random adapter for it, written by transformers and peft.

request: folder, modelType (llama, mistral, qwen2, qwen3), config {transformers' names}, seed (0), dtype (float32),
shardBytes (split the weights into files of at most this size), adapter {folder, rank, alpha, targets, seed}.
answer: parameters.

Every tensor is random, norms and biases too, and so is an adapter's B: a part that is left out changes the result.
"""

from common import Answer, Request, main

TINY = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": True,
}


def run(request: Request) -> Answer:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(request.get("modelType", "llama"), **{**TINY, **request.get("config", {})})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    generator = torch.Generator().manual_seed(request.get("seed", 0))
    with torch.no_grad():
        for name, value in model.named_parameters():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(1 + 0.2 * noise if "norm" in name else 0.2 * noise)
    model = model.to(getattr(torch, request.get("dtype", "float32")))
    limit = {"max_shard_size": request["shardBytes"]} if "shardBytes" in request else {}
    model.save_pretrained(request["folder"], **limit)
    if request.get("adapter"):
        make_adapter(model, request["adapter"])
    return {"parameters": sum(value.numel() for value in model.parameters())}


def make_adapter(model, wanted: Request) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    lora = get_peft_model(
        model,
        LoraConfig(
            r=wanted["rank"],
            lora_alpha=wanted["alpha"],
            target_modules=wanted.get("targets", "all-linear"),
            lora_dropout=0.0,
            task_type="CAUSAL_LM",
        ),
    )
    generator = torch.Generator().manual_seed(wanted.get("seed", 1))
    with torch.no_grad():
        for name, value in lora.named_parameters():
            if "lora_" in name:
                value.copy_(0.1 * torch.randn(value.shape, generator=generator))
    lora.save_pretrained(wanted["folder"])


if __name__ == "__main__":
    main(run)
