"""The chosen rules as a script for datatrove, the field's own engine, whose executors run on one machine or a cluster.

datatrove is no dependency of Nudge: the script is text, for a place where `datatrove[processing]` and spacy are.
What our rules have and datatrove's filters cannot say is named in a comment of the script.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.corpus.near_duplicates import BUCKETS, HASHES, WORDS
from lab.corpus.rules import Rules

_HEAD = '''"""Cleaning with datatrove {versions}, as it was put together in Nudge. Run: python {name} PAGES OUTPUT

{notes}
"""

import sys

from datatrove.executor.local import LocalPipelineExecutor  # for a cluster: datatrove.executor.slurm
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
    URLFilter,
)
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig

PAGES, OUTPUT = sys.argv[1:3]
TASKS = 1


def removed(step):
    return JsonlWriter(f"{{OUTPUT}}/removed/{{step}}")


def run(name, pipeline, tasks=TASKS):
    LocalPipelineExecutor(pipeline=pipeline, tasks=tasks, logging_dir=f"{{OUTPUT}}/logs/{{name}}").run()


'''
_DEDUP = """minhash = MinhashConfig(
    hash_config=HashConfig(precision=64), num_buckets={buckets}, hashes_per_bucket={hashes}, n_grams={words}
)
run("signatures", [JsonlReader(f"{{OUTPUT}}/before"), MinhashDedupSignature(f"{{OUTPUT}}/signatures", config=minhash)])
run("buckets", [MinhashDedupBuckets(f"{{OUTPUT}}/signatures", f"{{OUTPUT}}/buckets", config=minhash)], {buckets})
run("clusters", [MinhashDedupCluster(f"{{OUTPUT}}/buckets", f"{{OUTPUT}}/remove", config=minhash)], 1)
"""
_NOTES = (
    "Not the same as in Nudge: the language comes from fastText (datatrove downloads its model), words from spaCy,",
    "and the lists of sites and words from datatrove's own files.",
)


def pipeline_script(rules: Rules, language: str = "en", name: str = "clean_pages.py") -> str:
    """The script. Steps whose rules are all left out are left out of it."""
    steps = [step for step in rules.order if any(rule.step == step for rule in rules)]
    place = steps.index("duplicates") if "duplicates" in steps else len(steps)
    first, then = (
        [line for step in part if step in _FILTERS for line in [_FILTERS[step](rules, language)] if line]
        for part in (steps[:place], steps[place + 1 :])
    )
    head = _HEAD.format(versions="0.10", name=name, notes="\n".join(_NOTES))
    reader = "WarcReader(PAGES)"
    if place == len(steps):
        return head + _run("clean", [reader, *first, *then, 'JsonlWriter(f"{OUTPUT}/documents")'])
    dedup = _DEDUP.format(buckets=BUCKETS, hashes=HASHES, words=WORDS)
    again = ['JsonlReader(f"{OUTPUT}/before")', 'MinhashDedupFilter(f"{OUTPUT}/remove", removed("duplicates"))']
    before = _run("before", [reader, *first, 'JsonlWriter(f"{OUTPUT}/before")'])
    return head + before + dedup + _run("after", [*again, *then, 'JsonlWriter(f"{OUTPUT}/documents")'])


def _run(name: str, parts: list[str]) -> str:
    return f'run("{name}", [\n' + "".join(f"    {part},\n" for part in parts) + "])\n"


def _limits(rules: Rules, names: dict[str, str]) -> str:
    """Keyword arguments of a filter: its name of each of our rules; None or -1 switches a rule off."""
    return ", ".join(f"{theirs}={rules[ours].threshold if ours in rules else None!r}" for ours, theirs in names.items())


def _repetition(rules: Rules, language: str) -> str:
    limits = _limits(
        rules,
        {
            "repeated_lines": "dup_line_frac",
            "repeated_paragraphs": "dup_para_frac",
            "repeated_line_characters": "dup_line_char_frac",
            "repeated_paragraph_characters": "dup_para_char_frac",
        },
    )
    top = tuple((n, rules[f"top_{n}_gram"].threshold) for n in (2, 3, 4) if f"top_{n}_gram" in rules)
    said = tuple((n, rules[f"repeated_{n}_grams"].threshold) for n in range(5, 11) if f"repeated_{n}_grams" in rules)
    grams = f"top_n_grams={top!r}, dup_n_grams={said!r}"
    return f'GopherRepetitionFilter({limits}, {grams}, exclusion_writer=removed("repetition"))'


def _quality(rules: Rules, language: str) -> str:
    names = {
        "too_few_words": "min_doc_words",
        "too_many_words": "max_doc_words",
        "short_words": "min_avg_word_length",
        "long_words": "max_avg_word_length",
        "hashes": "max_symbol_word_ratio",
        "bullets": "max_bullet_lines_ratio",
        "ellipsis_lines": "max_ellipsis_lines_ratio",
        "words_with_letters": "max_non_alpha_words_ratio",
        "stop_words": "min_stop_words",
    }
    return f'GopherQualityFilter({_limits(rules, names)}, exclusion_writer=removed("quality"))'


def _c4(rules: Rules, language: str) -> str:
    numbers = {"too_few_sentences": "min_num_sentences", "short_lines": "min_words_per_line"}
    numbers["long_word_lines"] = "max_word_length"
    switches = {
        "unfinished_lines": "filter_no_terminal_punct",
        "lorem_ipsum": "filter_lorem_ipsum",
        "javascript_lines": "filter_javascript",
        "curly_bracket": "filter_curly_bracket",
        "policy_lines": "filter_policy",
    }
    limits = [f"{theirs}={rules[ours].threshold if ours in rules else -1}" for ours, theirs in numbers.items()]
    used = [f"{theirs}={ours in rules}" for ours, theirs in switches.items()]
    return f'C4QualityFilter({", ".join([*limits, *used])}, exclusion_writer=removed("c4"))'


def _fineweb(rules: Rules, language: str) -> str:
    never = {"unpunctuated_lines": -1, "short_line_share": 2, "copied_characters": 2, "list_like": 1e9}
    names = {
        "unpunctuated_lines": "line_punct_thr",
        "short_line_share": "short_line_thr",
        "copied_characters": "char_duplicates_ratio",
        "list_like": "new_line_ratio",
    }
    limits = [f"{theirs}={rules[ours].threshold if ours in rules else never[ours]}" for ours, theirs in names.items()]
    return f'FineWebQualityFilter({", ".join(limits)}, exclusion_writer=removed("fineweb"))'


def _private(rules: Rules, language: str) -> str:
    return f"PIIFormatter(remove_emails={'mail_addresses' in rules}, remove_ips={'public_ips' in rules})"


def _language(rules: Rules, language: str) -> str:
    threshold = rules["language"].threshold
    return f'LanguageFilter([{language!r}], language_threshold={threshold}, exclusion_writer=removed("language"))'


_FILTERS: dict[str, Callable[[Rules, str], str]] = {
    "url": lambda rules, language: 'URLFilter(exclusion_writer=removed("url"))',
    "extract": lambda rules, language: "Trafilatura(favour_precision=True, deduplicate=False)",
    "language": _language,
    "repetition": _repetition,
    "quality": _quality,
    "c4": _c4,
    "fineweb": _fineweb,
    "private": _private,
}
