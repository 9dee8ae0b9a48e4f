"""Pieces of the Tokens and Completion tabs, each a question of its own that opens on demand."""
