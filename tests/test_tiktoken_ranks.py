"""OpenAI's encodings from their rank files: the published vectors, where files and vectors lie beside the checkout."""

import ast
import re
from pathlib import Path

import pytest

from lab.errors import ModelError
from lab.tiktoken_ranks import find, folders
from lab.tokenizer import load_tokenizer

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
VECTORS = DATA / "tokenizer_vectors" / "gpt-tokenizer_TestPlans.txt"
here = pytest.mark.skipif(not VECTORS.is_file(), reason="the rank files and vectors are not here")
LINES = (
    "|Viewing Single Post From: Spoilers for the Week of February 11th|\n|Lil||Feb 1 2013, 09:58 AM|\n"
    "Don't care about Chloe/Taniel/Jen-Jen. Don't care about Sami, really, but hoping that we get some"
)


@pytest.fixture
def ranks(monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(DATA / "tiktoken_cache"))


def vectors():
    """(encoding, text, ids) of each published vector."""
    form = r"EncodingName: (\S+)\nSample: (.*?)\nEncoded: (\[.*?\])"
    found = re.findall(form, VECTORS.read_text(encoding="utf-8"), re.DOTALL)
    return [(name, text, ast.literal_eval(ids)) for name, text, ids in found]


@here
@pytest.mark.slow
def test_all_published_vectors(ranks):
    given = vectors()
    assert len(given) == 313
    loaded = {name: load_tokenizer(f"tiktoken:{name}") for name in {name for name, _, _ in given}}
    wrong = [(name, text) for name, text, ids in given if loaded[name].ids(text) != ids]
    assert wrong == []
    for name, text, ids in given:
        assert loaded[name].decode(ids) == text


@here
def test_known_cuts_of_cl100k(ranks):
    tokenizer = load_tokenizer("tiktoken:cl100k_base")
    assert tokenizer.vocab_size == 100_277
    assert tokenizer.ids("hello world") == [15339, 1917]
    assert tokenizer.ids("hello  world") == [15339, 220, 1917]
    assert tokenizer.ids("helloworld") == [71, 96392]
    assert [token.text for token in tokenizer.encode("strawberry")] == ["str", "aw", "berry"]
    assert [token.text for token in tokenizer.encode("ubiquitous")] == ["ub", "iqu", "itous"]
    assert len(LINES) == 192
    assert (len(tokenizer.ids(LINES)), tokenizer.ids(LINES)[:4]) == (62, [91, 860, 287, 11579])
    assert tokenizer.ids("<|endoftext|>", parse_special=True) == [100_257]
    assert len(tokenizer.ids("<|endoftext|>")) > 1
    assert tokenizer.ids("." * 177) and len(tokenizer.ids("." * 177)) == 5
    family = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}\u200d\N{BOY}"
    assert len(tokenizer.ids(family)) == 18 and tokenizer.decode(tokenizer.ids(family)) == family


def test_clear_words_when_the_ranks_are_not_here(tmp_path, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("lab.tiktoken_ranks.tempfile.gettempdir", lambda: str(tmp_path))
    assert folders()[0] == tmp_path and find("cl100k_base") is None
    with pytest.raises(ModelError, match="TIKTOKEN_CACHE_DIR"):
        load_tokenizer("tiktoken:cl100k_base")
    with pytest.raises(ModelError, match="there are gpt2"):
        load_tokenizer("tiktoken:nothing")
    (tmp_path / "cl100k_base.tiktoken").write_bytes(b"IQ== 0\n")
    with pytest.raises(ModelError, match="checksum"):
        load_tokenizer("tiktoken:cl100k_base")
    with pytest.raises(ModelError, match="checksum"):
        load_tokenizer(tmp_path / "cl100k_base.tiktoken")
