"""Kedro hooks, one concern a file; none names a pipeline."""
