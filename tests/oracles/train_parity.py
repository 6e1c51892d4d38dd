"""LoRA by transformers and peft: loss, logits, every gradient, and AdamW steps.

request: model (folder), adapter (PEFT folder), dtype (float32), and what common.train takes.
Parameters are named as in an adapter file: `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`.
"""

from common import Answer, Request, load_adapter, load_model, main, train


def run(request: Request) -> Answer:
    model = load_adapter(load_model(request["model"], request.get("dtype", "float32")), request["adapter"], True)
    # peft adds the adapter's name; the file it saves leaves it out.
    plain = {name: name.replace(".default.", ".") for name, _ in model.named_parameters()}
    answer = train(model, request)
    rename(request["out"], plain)
    return answer


def rename(file: str, plain: dict[str, str]) -> None:
    from safetensors.torch import load_file, save_file

    def new_name(key: str) -> str:
        kind, name = key.split(".", 1)
        return f"{kind}.{plain.get(name, name)}"

    save_file({new_name(key): value for key, value in load_file(file).items()}, file)


if __name__ == "__main__":
    main(run)
