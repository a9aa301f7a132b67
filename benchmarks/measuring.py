"""What all benchmarks share: their arguments, intervals that respect the order of a sheet, JSON.

Run a benchmark from the project's root: `python benchmarks/NAME.py --data PATH [--train PATH]
[--json OUT]`. It prints its figures and, last, one line that sums them up.
"""

import argparse
import json
import math
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from kedro.io import DatasetError

from kd_kedro.cli.errors import sentence

Rows = npt.NDArray[np.int64]


def parser(description: str | None, *, learns: bool) -> argparse.ArgumentParser:
    """Return a parser of `--train`, `--json` and `--cache`; `--train` is taken by all alike."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument(
        "--train",
        type=Path,
        help="rows to learn from; without: cross-fitted"
        if learns
        else "ignored: nothing is learned",
    )
    made.add_argument("--json", type=file_to_write, help="write the figures here")
    made.add_argument(
        "--cache", type=Path, help="SQLite file that keeps embeddings between benchmarks"
    )
    return made


def at_least(low: int) -> Callable[[str], int]:
    """Return the type of an argument that is a whole number not below `low`."""

    def whole(text: str) -> int:
        if not text.lstrip("-").isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"must be {low} or more, a whole number; not {text}")
        return int(text)

    return whole


def file_to_write(text: str) -> Path:
    """Return the type of an argument that names a file to be written."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"{path} is a folder, or the folder it is to lie in does not exist: make the folder "
            "or name another file"
        )
    return path


def refuse_same_file(train: Path | None, judged: Path) -> None:
    """Raise ValueError where the rows to learn from are the rows to judge."""
    if train and train.exists() and judged.exists() and train.samefile(judged):
        raise ValueError(
            f"--train names {judged}, the file that is judged: give other rows, or leave --train "
            "out to cross-fit"
        )


def finish(figures: dict[str, Any], summary: str, to: Path | None) -> None:
    """Write the figures as JSON, with the machine they were taken on, and print the summary.

    A figure that there is not (NaN) is null.
    """
    if to:
        whole = _without_nan({**figures, "machine": machine()})
        text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
        to.write_text(text + "\n", encoding="utf-8")
    print(summary)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def machine() -> dict[str, Any]:
    """Return what a timing depends on: processor, cores, load, versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }


def run(main: Callable[[], None]) -> None:
    """Run a benchmark; what is wrong with its input is said in one sentence, exit status 1."""
    try:
        main()
    except (ValueError, OSError, DatasetError) as error:
        sys.exit(sentence(error))


def block_bootstrap(
    rows: int, statistic: Callable[[Rows], float], *, block: int, samples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % percentile interval of a statistic under resampling of contiguous blocks.

    Neighbouring rows of a sheet come from one source, so rows are not independent but blocks
    nearly are (Künsch 1989, "The jackknife and the bootstrap for general stationary
    observations"; here with blocks that do not overlap).

    Args:
        rows: Number of rows, in the order of the sheet.
        statistic: Takes int64 positions (with repeats), returns a figure or NaN.
        block: Rows of a block; 1 is the ordinary bootstrap.
        samples: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        Low and high end; NaN where the statistic is always NaN.
    """
    if rows == 0:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    blocks = [np.arange(start, min(start + block, rows)) for start in range(0, rows, block)]
    values = [
        statistic(np.concatenate([blocks[i] for i in rng.integers(0, len(blocks), len(blocks))]))
        for _ in range(samples)
    ]
    if np.isnan(values).all():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
