"""The book: one page per training algorithm, each the code that runs."""
