"""The layout that makes a plotly figure legible in kedro-viz, in its small preview too.

The preview is a box of 400 x 300 pixels without a legend, whose first axes are written in 8 pixels
(kedro-viz 12.5, `lightPreviewTemplate`). A figure therefore uses the second axes, which keep their
own size, and names its lines in a text of its own. The colours can be read on light and on dark.
"""

from collections.abc import Mapping
from typing import Any

SIZE = 12  # pixels of every letter
TEACHER, BASELINE, STUDENT = "#7d8594", "#c4701f", "#3f82d9"
GOOD, BAD, IDLE = "#2f9961", "#d4574f", "#7d8594"
SYSTEM_COLOURS = {"teacher": TEACHER, "baseline": BASELINE, "student": STUDENT}
SERIES_COLOURS = (STUDENT, BASELINE, GOOD, BAD, "#9a6fc4", TEACHER)
_LINE = "rgba(128,128,128,0.35)"


def lay_out(
    figure: Any,
    *,
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    names: Mapping[str, str] | None = None,
    names_at: tuple[str, str] = ("left", "top"),
) -> Any:
    """Return a figure of one pair of axes, laid out to be read in any size.

    Args:
        figure: A plotly figure whose traces and shapes are on the first axes; it is changed.
        x: What plotly says of an x axis, its title as text.
        y: The same of the y axis.
        names: Colour by name of what is drawn, written into the figure; None where the marks carry
            their names.
        names_at: The corner where the names stand.
    """
    figure.update_traces(xaxis="x2", yaxis="y2")
    for shape in figure.layout.shapes:
        shape.update(
            xref=shape.xref.replace("x", "x2") if shape.xref else "x2",
            yref=shape.yref.replace("y", "y2") if shape.yref else "y2",
        )
    right, bottom = names_at[0] == "right", names_at[1] == "bottom"
    if names:
        text = "<br>".join(
            f'<span style="color:{colour}">■ {name}</span>' for name, colour in names.items()
        )
        figure.add_annotation(
            text=text,
            x=0.98 if right else 0.02,
            y=0.02 if bottom else 0.98,
            xref="paper",
            yref="paper",
            xanchor=names_at[0],
            yanchor=names_at[1],
            align=names_at[0],
            showarrow=False,
            font={"size": SIZE, "color": IDLE},  # kedro-viz's own would make them pale
        )
    return figure.update_layout(
        template="none",
        font={"size": SIZE},
        showlegend=False,
        margin={"l": 70, "r": 40, "t": 30, "b": 60},
        xaxis2={**_axis(x), "anchor": "y2"},
        yaxis2={**_axis(y), "anchor": "x2"},
    )


def _axis(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "automargin": True,
        "tickfont": {"size": SIZE},
        "gridcolor": _LINE,
        "zerolinecolor": _LINE,
        "nticks": 6,
        **said,
        "title": {"text": said.get("title", ""), "font": {"size": SIZE}},
    }
