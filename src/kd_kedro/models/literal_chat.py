"""Prompts through a tokenizer's chat template, in which the text of users stays literal.

A template's special tokens are tokens; the same letters in a message are letters, so that a
question which quotes `<|im_end|>` ends no turn. This file lies beside registered models and
imports nothing of this project.
"""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

Messages = Sequence[dict[str, str]]
# Noncharacters of Unicode, which no text may hold: they stand for special tokens for a while.
_QUOTED, _OPEN, _CLOSE = "\ufdd0", "\ufdd1", "\ufdd2"
_RESERVED = str.maketrans(dict.fromkeys((_QUOTED, _OPEN, _CLOSE), "\ufffd"))


class PromptRefusedError(ValueError):
    """A chat template does not take a conversation; `place` is its place among those given."""

    def __init__(self, reason: str, place: int = 0) -> None:
        """Remember the reason and the place."""
        super().__init__(reason)
        self.place = place


def question_ids(
    tokenizer: Any, template: str | None, asked: Sequence[Mapping[str, Any]]
) -> list[list[int]]:
    """Return the ids of prompts, without what the tokenizer itself puts before a text.

    Args:
        tokenizer: A fast tokenizer.
        template: A text with fields in braces; None for the tokenizer's chat template.
        asked: The fields of each prompt; of a chat `messages`, or the `question` of a user.

    Raises:
        PromptRefusedError: A chat template takes no such conversation.
    """
    if template is None:
        return chat_ids(tokenizer, [messages_of(each) for each in asked])
    if has_special(tokenizer, template):
        guarded = [{k: literal(tokenizer, str(v)) for k, v in each.items()} for each in asked]
        return special_ids(tokenizer, [template.format(**each) for each in guarded])
    texts = [template.format(**each) for each in asked]
    if not texts:
        return []
    # split_special_tokens: a text that quotes the end-of-sequence token does not end there.
    ids: list[list[int]] = tokenizer(
        texts, split_special_tokens=True, add_special_tokens=False, return_attention_mask=False
    )["input_ids"]
    return ids


def messages_of(asked: Mapping[str, Any]) -> Messages:
    """Return the fields of a prompt as the messages of a conversation."""
    given: Messages | None = asked.get("messages")
    return given or [{"role": "user", "content": str(asked["question"])}]


def chat_ids(tokenizer: Any, conversations: Sequence[Messages]) -> list[list[int]]:
    """Return the ids of the prompts that ask for the next turn of conversations.

    They are those of `apply_chat_template(..., add_generation_prompt=True)`, but for letters in
    messages that are a special token there.

    Raises:
        PromptRefusedError: The template takes no such conversation.
    """
    return special_ids(tokenizer, chat_texts(tokenizer, conversations))


def chat_texts(tokenizer: Any, conversations: Sequence[Messages], *, ask: bool = True) -> list[str]:
    """Return conversations as the template writes them, what messages quote marked as quoted.

    Args:
        tokenizer: Its chat template is used.
        conversations: Messages with role and content.
        ask: Whether the prompt of the next turn follows.

    Raises:
        PromptRefusedError: The template takes no such conversation.
    """
    texts = []
    for place, messages in enumerate(conversations):
        guarded = [{**each, "content": literal(tokenizer, each["content"])} for each in messages]
        try:
            text = tokenizer.apply_chat_template(guarded, tokenize=False, add_generation_prompt=ask)
        except Exception as error:  # a template is a program of its own, and fails in any way
            roles = ", ".join(each["role"] for each in messages)
            said = " ".join(str(error).split()).rstrip(".")
            raise PromptRefusedError(
                f"the chat template refuses the roles {roles} ({said})", place
            ) from error
        for given in guarded:
            # Some templates leave out what an assistant thought in earlier turns.
            content = given["content"].rpartition("</think>")[2]
            if content.strip() not in text:
                shown = " ".join(plain_text(tokenizer, content).split())[:40]
                left_out = f"a message of the role {given['role']} ({shown!r})"
                raise PromptRefusedError(f"the chat template leaves out {left_out}", place)
        texts.append(text)
    return texts


def literal(tokenizer: Any, text: str) -> str:
    """Return a text in which what would be read as a special token is marked as quoted."""
    names, pattern = _specials(tokenizer)
    clean = text.translate(_RESERVED)
    return pattern.sub(lambda found: f"{_QUOTED}{names.index(found[0])}{_QUOTED}", clean)


def plain_text(tokenizer: Any, text: str) -> str:
    """Return a text whose quotes are marked as it reads without the marks."""
    names, _ = _specials(tokenizer)
    return re.sub(f"{_QUOTED}([0-9]+){_QUOTED}", lambda found: names[int(found[1])], text)


def special_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of texts whose special tokens count, but for those marked as quoted."""
    if not texts:
        return []
    names, pattern = _specials(tokenizer)
    twin, meant = _twin(tokenizer)
    renamed = [
        plain_text(tokenizer, pattern.sub(lambda found: _alias(names.index(found[0])), text))
        for text in texts
    ]
    ids = twin(
        renamed, split_special_tokens=True, add_special_tokens=False, return_attention_mask=False
    )["input_ids"]
    return [[meant.get(token, token) for token in row] for row in ids]


def forget_tokenizers() -> None:
    """Forget what is remembered of tokenizers: one was given another special token."""
    _specials.cache_clear()
    _twin.cache_clear()


def has_special(tokenizer: Any, text: str) -> bool:
    """Return whether a text has a special token in it."""
    return _specials(tokenizer)[1].search(text) is not None


def ends_special(tokenizer: Any, text: str) -> bool:
    """Return whether a text ends with a special token."""
    return text.endswith(tuple(_specials(tokenizer)[0]))


@lru_cache(maxsize=8)
def _specials(tokenizer: Any) -> tuple[list[str], re.Pattern[str]]:
    tokens = tokenizer.added_tokens_decoder.values()
    # Some tokenizers say of the marks of turns that they are not special.
    written = str(tokenizer.chat_template)
    special = (each.content for each in tokens if each.special or each.content in written)
    names = sorted(special, key=lambda name: -len(name))
    return names, re.compile("|".join(map(re.escape, names)) or r"(?!)")


@lru_cache(maxsize=8)
def _twin(tokenizer: Any) -> tuple[Any, dict[int, int]]:
    """Return a tokenizer to which special tokens are known by names that no text holds.

    With them the ids that are meant by the twin's own.
    """
    from tokenizers import AddedToken, Tokenizer

    names, _ = _specials(tokenizer)
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    # `split_special_tokens` splits those alone that say of themselves that they are special.
    content["added_tokens"] = [
        each for each in content["added_tokens"] if each["special"] or each["content"] not in names
    ]
    twin = copy.deepcopy(tokenizer)
    twin._tokenizer = Tokenizer.from_str(json.dumps(content))
    meant = {}
    for token, each in tokenizer.added_tokens_decoder.items():
        if each.content in names:
            alias = _alias(names.index(each.content))
            how = {name: getattr(each, name) for name in ("lstrip", "rstrip", "single_word")}
            twin.add_tokens([AddedToken(alias, special=False, normalized=each.normalized, **how)])
            meant[twin.convert_tokens_to_ids(alias)] = token
    return twin, meant


def _alias(number: int) -> str:
    return f"{_OPEN}{number}{_CLOSE}"
