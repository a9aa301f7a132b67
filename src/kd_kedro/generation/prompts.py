"""What a language model is asked, by task; the version of a prompt is a hash of its words."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from kd_kedro.generation.protocol import Request

FIELDS = ("text", "answer", "options", "examples")
_FIELD = re.compile(r"\{(\w+)\}")
Message = dict[str, str]


class Prompt(BaseModel):
    """The instruction and the form of one task.

    `{text}` stands for the request's text; `{answer}`, `{options}` and `{examples}` for what its
    context has. A line whose context is absent is left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str = ""
    user: str

    @field_validator("user")
    @classmethod
    def _asks_about_the_text(cls, user: str) -> str:
        unknown = set(_FIELD.findall(user)) - set(FIELDS)
        if unknown:
            raise ValueError(f"has {{{min(unknown)}}}: use {{text}}, {{answer}}, {{options}}")
        if "{text}" not in user:
            raise ValueError("has no {text}, the place of what is asked about")
        return user

    @property
    def version(self) -> str:
        """Twelve digits that change with every change of the words."""
        words = json.dumps([self.system, self.user], ensure_ascii=False)
        return hashlib.sha256(words.encode()).hexdigest()[:12]

    def messages(self, request: Request) -> list[Message]:
        """Return the chat messages that ask for a request."""
        values = {**request.context, "text": request.text}
        lines = [
            # One pass: braces in the text itself stand for nothing.
            _FIELD.sub(lambda match: values[match[1]], line)
            for line in self.user.splitlines()
            if all(values.get(name) for name in _FIELD.findall(line))
        ]
        system = [{"role": "system", "content": self.system.strip()}] if self.system else []
        return [*system, {"role": "user", "content": "\n".join(lines)}]


def read_prompts(content: Mapping[str, Any], source: str) -> dict[str, Prompt]:
    """Return the prompts of a file by task.

    Args:
        content: What the file says: by task, `system` (may be absent) and `user`.
        source: The file's name, for messages.

    Raises:
        ValueError: A task has no prompt that can be used.
    """
    prompts = {}
    for task, entry in content.items():
        try:
            prompts[task] = Prompt.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, (task, *first["loc"])))
            raise ValueError(f"{source}: {where} {first['msg']}; mend the prompt") from error
    return prompts
