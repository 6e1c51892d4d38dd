"""Many templates against many inputs, by Python's jinja2 as transformers sets it up.

request: templates [text], inputs [JSON text of an object], now (ISO time), pairs [[template, input]] (absent: all pairs).
answer: results, one a pair, template by template: [text] or [null, the error's type].
"""

import datetime
import json
import signal

from common import Answer, Request, main
from jinja_golden import Clock
from transformers.utils import chat_template_utils


# A template may send Python on for hours where ours stops at its bounds; that is an error on both sides.
LIMIT_SECONDS = 20


def out_of_time(*_):
    raise TimeoutError(f"no end after {LIMIT_SECONDS} s")


def compiled(template):
    try:
        return chat_template_utils._cached_compile_jinja_template(template), None
    except RecursionError:
        return None, "RecursionError"
    except Exception as error:  # Whatever Python raises, the other side must raise too.
        return None, f"{type(error).__name__}: {error}"


def answer(program, text):
    signal.alarm(LIMIT_SECONDS)
    try:
        # Read anew each time: some filters of jinja2 change a list that they are given.
        return [program.render(**json.loads(text))]
    except RecursionError:
        return [None, "RecursionError"]
    except Exception as error:
        return [None, f"{type(error).__name__}: {error}"]
    finally:
        signal.alarm(0)


def run(request: Request) -> Answer:
    signal.signal(signal.SIGALRM, out_of_time)
    Clock.moment = datetime.datetime.fromisoformat(request["now"])
    templates, inputs = request["templates"], request["inputs"]
    pairs = request.get("pairs") or [[t, i] for t in range(len(templates)) for i in range(len(inputs))]
    results = []
    last, program, failure = None, None, None
    for template, index in pairs:
        if template != last:
            program, failure = compiled(templates[template])
            last = template
        results.append([None, failure] if failure else answer(program, inputs[index]))
    return {"results": results}


if __name__ == "__main__":
    main(run)
