"""Texts written by rules, without a model."""
