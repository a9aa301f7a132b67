"""Texts written by a language model, in this process or on a server."""
