"""Whether the page can be read: contrast of its colours (WCAG 2.2, 1.4.3), labels apart."""

import itertools
import re
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kd_kedro.pipelines.reporting.evidence_plots import (
    label_box,
    mark_box,
    overlap,
    pareto_marks,
)
from kd_kedro.pipelines.reporting.report import CELL_TINT

Colour = list[float]
STYLE = (files("kd_kedro.pipelines.reporting") / "templates/style.css.j2").read_text()
AA = 4.5


def palette(scheme: str) -> dict[str, Colour]:
    light, dark = re.findall(r":root\{([^}]*)\}", STYLE)
    declared = light + ";" + (dark if scheme == "dark" else "")
    return {
        name: [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        for name, digits in (
            (name, hexed if len(hexed) == 6 else "".join(2 * digit for digit in hexed))
            for name, hexed in re.findall(r"--(\w+):#(\w+)", declared)
        )
    }


def luminance(colour: Colour) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: Colour, other: Colour) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast([0, 0, 0], [1, 1, 1]) == pytest.approx(21)
    assert contrast([0x77 / 255] * 3, [1, 1, 1]) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_aa(scheme: str) -> None:
    colours = palette(scheme)
    texts = ["ink", "soft", "teacher", "baseline", "student", "good", "bad", "idle"]
    texts += [name for name in colours if name.startswith("curve")]
    pairs = [(text, ground) for text in texts for ground in ("card", "bg")]
    pairs += [(name, f"{name}bg") for name in ("good", "bad", "idle")]
    assert {
        pair: ratio for pair in pairs if (ratio := contrast(*(colours[n] for n in pair))) < AA
    } == {}
    named = set(re.findall(r"[{;]color:var\(--(\w+)\)", STYLE))
    assert named <= set(texts)  # no text has another colour
    assert not re.search(r"[{;]color:#", STYLE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tint", ["good", "bad"])
def test_numbers_of_the_confusion_matrix_have_the_contrast_of_aa(scheme: str, tint: str) -> None:
    colours = palette(scheme)
    assert f"color-mix(in srgb,var(--{tint}) var(--share),var(--card))" in STYLE
    for share in range(CELL_TINT + 1):
        cell = [
            share / 100 * full + (1 - share / 100) * plain
            for full, plain in zip(colours[tint], colours["card"], strict=True)
        ]
        assert contrast(colours["ink"], cell) >= AA


def form(model: str, latency: float, perplexity: float, size: int) -> dict[str, Any]:
    return {
        "model": model,
        "status": "accepted",
        "latency_p50_ms": latency,
        "perplexity": perplexity,
        "bytes": size,
    }


def assert_apart(marks: list[dict[str, Any]]) -> None:
    for one, other in itertools.combinations(marks, 2):
        assert not overlap(label_box(one), label_box(other)), (one["label"], other["label"])
        assert not overlap(label_box(one), mark_box(other)), (one["label"], other["label"])
        assert not overlap(label_box(other), mark_box(one)), (one["label"], other["label"])


def test_labels_of_the_sample_s_drawing_of_cost_lie_apart() -> None:
    marks = pareto_marks(
        [
            form("teacher", 30.0, 1.9, 6_337_208),
            form("student", 15.0, 3.85, 1_727_576),
            form("torch_int8", 15.2, 3.86, 1_286_832),
            form("onnx", 8.3, 3.85, 1_752_208),
            form("onnx_int8", 6.3, 3.85, 683_872),
        ]
    )
    assert [mark["label"] for mark in marks][2] == "torch int8"
    assert_apart(marks)


@example([(1.0, 2.0, 1000), (1.0, 7.0, 1000), (1.0, 9.0, 1000), (1.0, 5.0, 1000)])
@given(
    st.lists(
        st.tuples(st.floats(1, 1000), st.floats(1.01, 1000), st.integers(1_000, 10**10)),
        min_size=1,
        max_size=5,
    )
)
def test_labels_lie_apart_wherever_the_marks_are(places: list[tuple[float, float, int]]) -> None:
    names = ["teacher", "student", "torch_int8", "onnx", "onnx_int8"]
    assert_apart(
        pareto_marks([form(name, *place) for name, place in zip(names, places, strict=False)])
    )
