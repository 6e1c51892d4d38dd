"""Chat templates as transformers renders them.

request: template (Jinja), cases [{messages, tools, addGenerationPrompt, variables}].
answer: renderings [{text} or {error}].
"""

from common import Answer, Request, main


def run(request: Request) -> Answer:
    from transformers.utils.chat_template_utils import render_jinja_template

    renderings = []
    for case in request["cases"]:
        try:
            texts, _ = render_jinja_template(
                conversations=[case["messages"]],
                tools=case.get("tools"),
                chat_template=request["template"],
                add_generation_prompt=case.get("addGenerationPrompt", False),
                **case.get("variables", {}),
            )
            renderings.append({"text": texts[0]})
        except Exception as error:  # what a template raises is an answer
            renderings.append({"error": f"{type(error).__name__}: {error}"})
    return {"renderings": renderings}


if __name__ == "__main__":
    main(run)
