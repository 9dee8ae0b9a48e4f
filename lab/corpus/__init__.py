"""From web pages to clean text, with every decision visible.

from lab.corpus import clean, RULES
result = clean(World(0).crawl(500))            # pages, rows with `html` or `text`, texts, `read_pages(path)`
result.kept, result.dropped                    # each dropped: .id .reason .measurements

rules  words                            the table of rules with thresholds and sources; what a word, line, sentence is
address  extract  language  repetition  quality  c4  near_duplicates  redact      the steps, one a file
measure  child  store                   a page measured by every rule; in a process of its own; kept on disk
decide  passport                        who stays, and why
cleaning                                all of it
sources  pipeline_script                pages from files; the chosen rules as a script for datatrove
"""

from lab.corpus.cleaning import CleanDocument as CleanDocument
from lab.corpus.cleaning import Cleaning as Cleaning
from lab.corpus.cleaning import DroppedDocument as DroppedDocument
from lab.corpus.cleaning import Result as Result
from lab.corpus.cleaning import clean as clean
from lab.corpus.page import Page as Page
from lab.corpus.rules import PRESETS as PRESETS
from lab.corpus.rules import RULES as RULES
from lab.corpus.rules import Rule as Rule
from lab.corpus.rules import Rules as Rules

__all__ = [
    "PRESETS",
    "RULES",
    "CleanDocument",
    "Cleaning",
    "DroppedDocument",
    "Page",
    "Result",
    "Rule",
    "Rules",
    "clean",
]
