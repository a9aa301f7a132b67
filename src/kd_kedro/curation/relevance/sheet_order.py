"""What the order of a sheet tells: neighbouring rows come from one source."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Sheets = npt.NDArray[np.int64]


def with_neighbours(scores: Scores, sheets: Sheets, widths: Sequence[float]) -> Scores:
    """Return each row's score beside the mean scores of its neighbourhoods.

    Args:
        scores: float64 (n,), in the order of the sheet.
        sheets: int64 (n,), contiguous; rows of another sheet are no neighbours.
        widths: Rows; a neighbourhood's weights are a Gaussian of this standard deviation, scaled
            to 1 where the sheet ends.

    Returns:
        float64 (n, 1 + len(widths)).
    """
    from scipy.ndimage import gaussian_filter1d

    columns = np.repeat(scores[:, None], 1 + len(widths), axis=1)
    for part in _parts(sheets):
        inside = np.ones(part.stop - part.start)
        for column, width in enumerate(widths, start=1):
            total = gaussian_filter1d(scores[part], width, mode="constant")
            weight = gaussian_filter1d(inside, width, mode="constant")
            columns[part, column] = total / weight
    return columns


def stand_together(marked: Mask, sheets: Sheets) -> float:
    """Return how far marked rows stand beside each other: the correlation of a row with the next.

    Near 0 where marked rows are strewn over the sheet, 1 where they are few long runs; 0 where
    all rows or none are marked.
    """
    pairs = [(marked[part][:-1], marked[part][1:]) for part in _parts(sheets)]
    first = np.concatenate([pair[0] for pair in pairs]).astype(float)
    second = np.concatenate([pair[1] for pair in pairs]).astype(float)
    if len(first) < 2 or not (first.std() and second.std()):
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _parts(sheets: Sheets) -> list[slice]:
    starts = [0, *(np.flatnonzero(np.diff(sheets)) + 1).tolist(), len(sheets)]
    return [slice(start, stop) for start, stop in pairwise(starts)]
