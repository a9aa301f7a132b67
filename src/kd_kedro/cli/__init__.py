"""What the user types."""

from kd_kedro.cli.commands import cli

__all__ = ["cli"]
