"""Tools, calls and results as ms-swift's agent templates write them, and calls as they read them back.

Runs alone, in the ms-swift environment: `python agent_formats.py < request.json`.
request: tools; systems [text or null]; cases {name: {said, calls [{name, arguments}], results [{name, content}]}}.
answer: formats {key: {systems [{system, question}], cases {name: {answer, whole, calls [{name, arguments}] or null}}}}.
`whole` is the answer with the results behind it, up to where the model goes on.
"""

import copy
import json
import sys
from types import SimpleNamespace

from swift.agent_template import agent_template_map
from swift.agent_template.base import BaseAgentTemplate


class Arguments(dict):
    """Some templates print arguments as they come, which is Python's repr, where their own instructions say JSON."""

    def __str__(self):
        return json.dumps(self, ensure_ascii=False)


parse_tool_call = BaseAgentTemplate._parse_tool_call


def parse_with_json(content):
    call = parse_tool_call(content)
    if isinstance(call["arguments"], dict):
        call["arguments"] = Arguments(call["arguments"])
    return call


BaseAgentTemplate._parse_tool_call = staticmethod(parse_with_json)


def open_template(key):
    template = agent_template_map[key]()
    template.template_meta = SimpleNamespace(
        prompt=["<user>{{QUERY}}</user><assistant>"], chat_sep=["</assistant>"], suffix=[]
    )
    return template


def system_of(key, tools, system):
    template = open_template(key)
    question = {"role": "user", "content": "Oslo?"}
    wrapped = [template.wrap_tool(copy.deepcopy(tool)) for tool in tools]
    return {"system": template._format_tools(wrapped, system, question), "question": question["content"]}


def case_of(key, case):
    template = open_template(key)
    before = {"role": "assistant", "content": case["said"]} if case["said"] else {"role": "user", "content": "Oslo?"}
    calls = [{"role": "tool_call", "content": json.dumps(call)} for call in case["calls"]]
    text = template._format_tool_calls(calls)
    text = template._add_tool_call_prefix(text, before)
    answer = (before["content"] if case["said"] else "") + text
    results = [{"role": "tool", **result} for result in case["results"]]
    whole, prompt = template._format_tool_responses(answer, results)
    try:
        read = [{"name": call.name, "arguments": call.arguments} for call in template.get_toolcall(answer)]
    except Exception:
        read = None
    return {"answer": answer, "whole": whole + "".join(prompt), "calls": read}


def run(request):
    return {
        "formats": {
            key: {
                "systems": [system_of(key, request["tools"], system) for system in request["systems"]],
                "cases": {name: case_of(key, case) for name, case in request["cases"].items()},
            }
            for key in agent_template_map
        }
    }


if __name__ == "__main__":
    answer = run(json.load(sys.stdin))
    sys.stdout.write("\n" + json.dumps(answer, ensure_ascii=False))
