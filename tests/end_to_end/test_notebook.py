"""The tour in notebooks/ runs from top to bottom on what a run left."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient


def test_the_tour_runs(finished: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    project, _ = finished
    monkeypatch.setenv("KEDRO_ENV", "test")
    monkeypatch.setenv("PYTHONPATH", str(project / "src"))
    notebook = nbformat.read(project / "notebooks" / "tour.ipynb", as_version=4)
    resources = {"metadata": {"path": str(project / "notebooks")}}
    NotebookClient(notebook, timeout=1200, resources=resources).execute()
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    printed = str(outputs)
    for words in ("augmentation", "plotly", "conclusion"):
        assert words in printed
