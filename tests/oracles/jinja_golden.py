"""What Python's jinja2, set up as transformers does, makes of a template.

    python jinja_golden.py                          regenerate src/render/goldens/*.json
    python jinja_golden.py --request < request.json

request: templates [text], variables (JSON text of an object), now (ISO time).
answer: results [{text} or {error}]. Of errors only their being there is compared: the words differ between the languages.
"""

import datetime
import json
import pathlib
import sys

from common import Answer, Request, main
from transformers.utils import chat_template_utils

GOLDENS = pathlib.Path(__file__).resolve().parents[2] / "src" / "render" / "goldens"
NOW = "2026-03-05T14:07:09"


class Clock(datetime.datetime):
    """`strftime_now` asks this class for the time."""

    moment = datetime.datetime.fromisoformat(NOW)

    @classmethod
    def now(cls, tz=None):
        return cls.moment


chat_template_utils.datetime = Clock


def render(template, variables, now=NOW):
    Clock.moment = datetime.datetime.fromisoformat(now)
    try:
        compiled = chat_template_utils._compile_jinja_template(template)
        return {"text": compiled.render(**variables)}
    except RecursionError:
        return {"error": "RecursionError"}
    except Exception as error:  # Whatever Python raises, the other side must raise too.
        return {"error": f"{type(error).__name__}: {error}"}


def variables_of(conversation):
    """As apply_chat_template calls a template: these names are always defined."""
    defaults = {"tools": None, "documents": None, "add_generation_prompt": False}
    return {**defaults, **conversation}


def regenerate():
    conversations = json.loads((GOLDENS / "conversations.json").read_text(encoding="utf-8"))
    for path in sorted((GOLDENS / "templates").glob("*.jinja")):
        template = path.read_text(encoding="utf-8")
        results = {name: render(template, variables_of(data)) for name, data in conversations.items()}
        write(GOLDENS / f"{path.stem}.generated.json", results)
        print(path.stem, sum("text" in result for result in results.values()), "of", len(results), "render")
    variables = (GOLDENS / "snippets.variables.json").read_text(encoding="utf-8")
    snippets = (GOLDENS / "snippets.txt").read_text(encoding="utf-8").split("\n")
    # One snippet a line; a line break inside one is written as a sign of its own.
    templates = [snippet.replace("\u2424", "\n") for snippet in snippets if snippet]
    results = [{"template": template, **render(template, json.loads(variables))} for template in templates]
    write(GOLDENS / "snippets.generated.json", results)
    print("snippets", sum("text" in result for result in results), "of", len(results), "render")


def write(path, value):
    # Surrogates cannot be written as UTF-8; ASCII keeps them readable for both sides.
    path.write_text(json.dumps(value, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")


def run(request: Request) -> Answer:
    # The variables come as JSON text, so that 1.0 stays apart from 1; read anew for each template, because some filters of
    # jinja2 change a list they are wrongly given (`indent` adds a line break to it).
    text, now = request["variables"], request["now"]
    return {"results": [render(template, json.loads(text), now) for template in request["templates"]]}


if __name__ == "__main__":
    main(run) if "--request" in sys.argv[1:] else regenerate()
