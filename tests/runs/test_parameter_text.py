"""What `--params` says is read as Kedro reads it, and lists besides."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.framework.cli.utils import _split_params

from kd_kedro.runs.parameter_text import read_parameters_of


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("a.b=3, c=[x, y] ,d=[],", {"a": {"b": 3}, "c": ["x", "y"], "d": []}),
        ("""d="one, two",e='007',f=Tom's""", {"d": "one, two", "e": "007", "f": "Tom's"}),
        ("f=1e-5,g=true,h=null,i=a=b", {"f": 1e-5, "g": True, "h": None, "i": "a=b"}),
    ],
)
def test_lists_and_quoted_commas_are_values(text: str, values: dict[str, Any]) -> None:
    assert read_parameters_of(text) == values


@pytest.mark.parametrize("text", ["no", "a=1,no", "=3", "a=[x", "a=@x", "a=[x,y"])
def test_what_is_no_key_with_a_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be read: it takes key=value,key=value"):
        read_parameters_of(text)


plain = st.text("abc/. -_=07üñ'", max_size=8)


@given(st.dictionaries(st.sampled_from(["a", "b.c", "b.d"]), plain))
def test_without_lists_and_quotes_it_is_what_kedro_reads(values: dict[str, str]) -> None:
    text = ",".join(f"{key}={value}" for key, value in values.items())
    if "'" in "".join(value.strip()[:1] for value in values.values()):
        return  # it begins a quote
    try:
        expected = _split_params(None, None, text)
    except Exception:  # YAML refuses it
        with pytest.raises(ValueError, match="cannot be read"):
            read_parameters_of(text)
        return
    assert read_parameters_of(text) == expected
