"""Question formats become open questions."""
