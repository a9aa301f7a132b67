"""Code and layout in a text: where its white space, its signs and its words are not prose."""

import re
from collections.abc import Callable

_CODE = re.compile(
    r"^[ \t]*(?P<fence>```+|~~~+).*?(?:^[ \t]*(?P=fence)`*[ \t]*$|\Z)"  # a fenced block
    r"|(?P<ticks>`+)(?!`)[^\n]*?(?<!`)(?P=ticks)(?!`)"  # in backticks
    r"|^(?: {4}|\t)[^\n]*$",  # an indented line
    re.MULTILINE | re.DOTALL,
)
_LAYOUT = re.compile(
    r"^[ \t]+\S.*\n|\n[ \t]+\S|\t|```|~~~|^\s*\|.*\||^[ \t]*(?:[-*+]|\d+[.)])[ \t]| {2}\n"
    r"|[{};]\n|^(?:@@|---|\+\+\+) ",
    re.MULTILINE,
)
# Stands for a piece of code while the prose around it is rewritten; no text has it.
_PLACE = "\ue000{}\ue001"
_PLACES = re.compile("\ue000(\\d+)\ue001")


def has_layout(text: str) -> bool:
    """Return whether white space in a text may mean something: code, a table, a list, a diff."""
    return bool(_LAYOUT.search(text.strip("\n")))


def code_spans(text: str) -> list[tuple[int, int]]:
    """Return where code stands in a text: fenced, in backticks, or on indented lines."""
    return [match.span() for match in _CODE.finditer(text)]


def around_code(text: str, rewrite: Callable[[str], list[str]]) -> list[str]:
    """Return rewrites of a text in which its code stands as it was.

    Args:
        text: The text.
        rewrite: Makes other texts of one in which a mark stands for each piece of code.
    """
    if not (spans := code_spans(text)):
        return rewrite(text)
    parts, at = [], 0
    for number, (start, end) in enumerate(spans):
        parts += [text[at:start], _PLACE.format(number)]
        at = end
    made = rewrite("".join([*parts, text[at:]]))
    whole = [str(number) for number in range(len(spans))]

    def put_back(found: re.Match[str]) -> str:
        start, end = spans[int(found[1])]
        return text[start:end]

    return [_PLACES.sub(put_back, each) for each in made if _PLACES.findall(each) == whole]
