"""The text of `--params`: Kedro's form of it, in which a value may also be a list."""

import re
from collections.abc import Iterator
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

# A comma in brackets or quotes, at which Kedro's own option splits, belongs to the value.
_ITEM = re.compile(r"""\s*([^=,\s]+)\s*=\s*(\[[^\]]*\]|"[^"]*"|'[^']*'|[^,]*?)\s*(?:,+|$)""")


def read_parameters_of(text: str) -> dict[str, Any]:
    """Return nested parameters of a text as `a.b=3,c=[x,y],d="one, two"`.

    Raises:
        ValueError: A part of it is no key with a value.
    """
    try:
        values: Any = OmegaConf.to_container(OmegaConf.from_dotlist(list(_items(text))))
    except (YAMLError, ValueError) as error:
        raise ValueError(
            f"--params {text!r} cannot be read: it takes key=value,key=value; a value that holds "
            "one of , : [ { needs quotes of its own"
        ) from error
    return values  # type: ignore[no-any-return]


def _items(text: str) -> Iterator[str]:
    text, place = text.strip(", "), 0
    while place < len(text):
        found = _ITEM.match(text, place)
        if found is None:
            raise ValueError(f"{text[place:]!r} does not begin with key=value")
        yield f"{found[1]}={found[2]}"
        place = found.end()
