"""How a model is asked: a text with fields of the row, or the chat template of its tokenizer.

The format belongs to the tokenizer and is saved with it, so that whoever loads a model asks it as
in training: as `prompt_format` in tokenizer_config.json, and as its chat template.
"""

import copy
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from string import Formatter
from typing import Any, NamedTuple

from kd_kedro.models.literal_chat import (
    PromptRefusedError,
    chat_texts,
    ends_special,
    forget_tokenizers,
)
from kd_kedro.models.marks import literal_ids, marks

TEMPLATE = "Question: {question}\nAnswer:"
CHAT = "chat"
# What is asked: a question, or the fields of a prompt, with `messages` where it is a conversation.
Asked = str | Mapping[str, Any]
_KEY = "prompt_format"
_SAID = "kd7kedro"  # no template writes it
_USER = [{"role": "user", "content": "a"}]
# Some templates write the day on which they are used, and a prompt must be the same on all days.
# It is the day that those of Llama 3.2 fall back to.
_DAY = date(2024, 7, 26)
# In Jinja, what `training.examples` makes of a conversation: a question, and the system message
# that stands beside it alone. An answer may follow.
_QUESTION = (
    "{%- set answer = messages[-1:] if messages[-1]['role'] == 'assistant' else [] %}"
    "{%- set before = messages[:-1] if answer else messages %}"
    "{%- set turns = before | rejectattr('role', 'equalto', 'system') | list %}"
    "{%- set asked = namespace(question=turns[-1]['content'] if turns else '', system='') %}"
    "{%- if turns | length == 1 and before[0]['role'] == 'system' %}"
    "{%- set asked.system = before[0]['content'] %}"
    "{%- endif %}"
    "{%- if turns | length > 1 %}"
    "{%- set asked.question = '' %}"
    "{%- for message in before %}"
    "{%- set line = '⟦' ~ message['role'] ~ '⟧ ' ~ message['content'] | trim %}"
    "{%- set asked.question = asked.question ~ ('' if loop.first else '\\n') ~ line %}"
    "{%- endfor %}"
    "{%- endif %}"
)
_OF_MESSAGES = {"question": "asked.question", "system": "asked.system"}
_NEEDED = (
    "{%- if NAME is undefined %}"
    "{{ raise_exception('the prompt has the field NAME: give it to apply_chat_template') }}"
    "{%- endif %}"
)
_TODAY = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")


@dataclass(frozen=True)
class PromptFormat:
    """How a model is asked.

    Attributes:
        template: A text with fields in braces, or `CHAT` for the tokenizer's chat template.
        system: What a conversation begins with that has no system message; '' for nothing.
    """

    template: str = TEMPLATE
    system: str = ""


class Turn(NamedTuple):
    """What stands around an assistant's answer, after the prompt that asks for it.

    Attributes:
        before: Blanks between the prompt and the answer.
        after: Blanks between the answer and its end.
        end: The token that ends the turn.
        prompt: A prompt, from its last special token on.
    """

    before: str
    after: str
    end: str
    prompt: str


def format_of(tokenizer: Any) -> PromptFormat:
    """Return the format that a tokenizer was given."""
    given = getattr(tokenizer, "init_kwargs", {}).get(_KEY)
    return PromptFormat(**given) if given else PromptFormat()


def begins_itself(tokenizer: Any) -> bool:
    """Return whether a prompt has by itself what a tokenizer puts before a text, where it does."""
    template, begin = format_of(tokenizer).template, marks(tokenizer)[0]
    mark = "".join(tokenizer.convert_ids_to_tokens(list(begin)))
    return template == CHAT or bool(begin and template.startswith(mark))


def prompt_fields(tokenizers: Iterable[Any]) -> list[str]:
    """Return the fields of the prompts that tokenizers ask in, the question first."""
    templates = [format_of(tokenizer).template for tokenizer in tokenizers]
    names = [name for each in templates if each != CHAT for name in field_names(each)]
    return list(dict.fromkeys(["question", *names]))


def asked_as(tokenizer: Any) -> str:
    """Return what tells the prompts of two tokenizers apart: the template they are asked by."""
    template = format_of(tokenizer).template
    return str(tokenizer.chat_template) if template == CHAT else template


def give_format(tokenizer: Any, how: PromptFormat, key: str) -> Any:
    """Return a tokenizer, changed in place, that asks in a format.

    Its chat template becomes that format, and of a chat its end-of-sequence token the token with
    which the template ends an assistant's turn.

    Args:
        tokenizer: A fast tokenizer.
        how: The format.
        key: The parameter that named the tokenizer, for the messages.

    Raises:
        ValueError: It has no chat template, or one that does not take what the format asks for.
    """
    if how.template == CHAT:
        _prepare_chat(tokenizer, how.system, key)
    else:
        tokenizer.chat_template = _as_chat_template(tokenizer, how.template)
    tokenizer.init_kwargs[_KEY] = asdict(how)
    return tokenizer


def saved_with(tokenizer: Any, *, encoded: bool) -> Any:
    """Return a tokenizer as it is saved with a model: its chat template is the model's prompt.

    Args:
        tokenizer: The model's.
        encoded: Whether an encoder reads the prompt, with what the tokenizer puts after a text.
    """
    template = format_of(tokenizer).template
    if template == CHAT:  # it was made when the format was given, with the system message in it
        return tokenizer
    own = copy.deepcopy(tokenizer)
    own.chat_template = _as_chat_template(own, template, encoded=encoded)
    return own


def field_names(template: str) -> list[str]:
    """Return the names of a template's fields.

    Raises:
        ValueError: It is no text with names in braces.
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{error}; a brace that is meant as such is written twice") from error
    names = [name for _, name, _, _ in parts if name is not None]
    for _, name, form, conversion in parts:
        if name is not None and (not name.isidentifier() or form or conversion):
            raise ValueError(f"the field {{{name}}} is no plain name")
    return list(dict.fromkeys(names))


def prompt_text(asked: Asked, template: str = TEMPLATE) -> str:
    """Return what a model is given to read where it is no chat, before it is cut into tokens."""
    return template.format(**fields_of(asked))


def fields_of(asked: Asked) -> Mapping[str, Any]:
    """Return what is asked as the fields of a prompt."""
    return {"question": asked} if isinstance(asked, str) else asked


def turn_of(tokenizer: Any) -> Turn:
    """Return what a chat template puts around an assistant's answer.

    Raises:
        ValueError: It writes no such turn.
    """
    (prompt,) = chat_texts(tokenizer, [_USER])
    said = [*_USER, {"role": "assistant", "content": _SAID}]
    (whole,) = chat_texts(tokenizer, [said], ask=False)
    at = whole.rindex(_SAID)
    between = whole[len(prompt) : at] if whole.startswith(prompt) else ""
    names = [each.content for each in tokenizer.added_tokens_decoder.values()]
    found = re.search("|".join(map(re.escape, sorted(names, key=len, reverse=True))), whole[at:])
    last = max((prompt.rfind(name) for name in names), default=-1)
    return Turn(
        before=between if between.isspace() else "",
        after=whole[at + len(_SAID) : at + found.start()] if found else "",
        end=found[0] if found else tokenizer.eos_token,
        prompt=prompt[max(0, last) :],
    )


def _prepare_chat(tokenizer: Any, system: str, key: str) -> None:
    name = f"{key}: '{tokenizer.name_or_path or type(tokenizer).__name__}'"
    if not tokenizer.chat_template:
        raise ValueError(
            f"{name} has no chat template, which distillation.examples.format=chat asks for: give "
            "the tokenizer of an instruction-tuned model, or take the format plain or a template "
            "of your own (distillation.examples.templates)"
        )
    template = tokenizer.chat_template
    if isinstance(template, Mapping):
        template = template.get("default") or next(iter(template.values()))
    tokenizer.chat_template = _TODAY.sub(lambda found: repr(_DAY.strftime(found[2])), template)
    try:
        if system:
            chat_texts(tokenizer, [[{"role": "system", "content": _SAID}, *_USER]])
            tokenizer.chat_template = _with_system(tokenizer.chat_template, system)
        tokenizer.chat_template += _missing_header(tokenizer)
        tokenizer.eos_token = turn_of(tokenizer).end
        forget_tokenizers()
    except PromptRefusedError as error:
        advice = ": leave distillation.examples.system empty" if system else ""
        raise ValueError(f"{name} cannot be asked as a chat: {error}{advice}") from error


def _missing_header(tokenizer: Any) -> str:
    """Return what a chat template lacks before an answer, as more of the template.

    One that writes whole turns alone lacks who speaks. One that opens a thought lacks its end: what
    is learned is the answer.
    """
    said = [*_USER, {"role": "assistant", "content": _SAID}]
    (prompt,), (closed,) = (chat_texts(tokenizer, [_USER], ask=ask) for ask in (True, False))
    (whole,) = chat_texts(tokenizer, [said], ask=False)
    lacking = ""
    if prompt == closed and whole.startswith(prompt):
        lacking = whole[len(prompt) : whole.rindex(_SAID)]
    elif "<think>" in prompt and "</think>" not in prompt.rpartition("<think>")[2]:
        lacking = "\n</think>\n\n"
    if not lacking.strip():
        return ""
    return f"{{% if add_generation_prompt %}}{{{{ {_quoted(lacking)} }}}}{{% endif %}}"


def _with_system(template: str, system: str) -> str:
    """Return a chat template that begins a conversation without a system message with one."""
    message = f"{{'role': 'system', 'content': {_quoted(system)}}}"
    return (
        "{%- if messages[0]['role'] != 'system' %}"
        f"{{%- set messages = [{message}] + messages %}}"
        "{%- endif %}"
        f"{template}"
    )


def _as_chat_template(tokenizer: Any, template: str, *, encoded: bool = False) -> str:
    """Return a chat template that writes the prompt of a question, and an answer that follows.

    The question is the user's text, or of several turns their transcript, as in training. Other
    fields are arguments of `apply_chat_template`. What the tokenizer puts before every text is
    written too, and after the prompt what an encoder reads there.

    Args:
        tokenizer: A fast tokenizer.
        template: A text with fields in braces.
        encoded: Whether an encoder reads the prompt. The answer is then no part of the text.
    """
    begin = _begin_text(tokenizer, template)
    parts = [_quoted(begin)] if begin else []
    for text, name, _, _ in Formatter().parse(template):
        parts += [_quoted(text)] if text else []
        parts += [] if name is None else [_OF_MESSAGES.get(name, name)]
    needed = [name for name in field_names(template) if name not in _OF_MESSAGES]
    checks = "".join(_NEEDED.replace("NAME", name) for name in needed)
    prompt = "".join(f"{{{{ {part} }}}}" for part in parts)
    if encoded:
        end = "".join(tokenizer.convert_ids_to_tokens(list(marks(tokenizer)[1])))
        return f"{_QUESTION}{checks}{prompt}{{{{ {_quoted(end)} }}}}"
    first, two = literal_ids(tokenizer, ["a", "a a"])
    spaced = [*first, *first] == two  # it puts a blank before every text by itself, as Llama 2's
    closed = template != template.rstrip() or ends_special(tokenizer, template)
    lead, eos = _quoted("" if closed and not spaced else " "), _quoted(tokenizer.eos_token or "")
    answer = f"{{{{ {lead} ~ answer[0]['content'] ~ {eos} }}}}"
    return f"{_QUESTION}{checks}{prompt}{{%- if answer %}}{answer}{{%- endif %}}"


def _begin_text(tokenizer: Any, template: str) -> str:
    """Return what is written before a template, so that its tokens are those of a text."""
    ids = marks(tokenizer)[0]
    mark = "".join(tokenizer.convert_ids_to_tokens(list(ids)))
    if template.startswith(mark):
        return ""
    # Where a tokenizer puts a blank before the first word alone, the mark would take it.
    (text,) = literal_ids(tokenizer, ["a"])
    spaced = tokenizer(f"{mark} a", add_special_tokens=False)["input_ids"]
    bare = tokenizer(f"{mark}a", add_special_tokens=False)["input_ids"]
    return f"{mark} " if spaced == [*ids, *text] != bare else mark


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
