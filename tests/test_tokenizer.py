"""Tokenizers: bytes and places by hand and by property, ids and texts against transformers."""

import json
import shutil
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import ModelError
from lab.tokenizer import ASSETS, byte_alphabet, load_tokenizer
from tests.tokenizer_samples import KINDS, SPECIAL, byte_level, save

TRICKY = [
    "Hello there, how are you?",
    " two  spaces   and a tab\t",
    "naïve café 東京 🙂🙃 👩‍👩‍👧",
    "line\nbreaks\r\n\n\nand <|user|> in <s> text </s>",
    "",
    " ",
    "\n",
    "a\u0300 combining, \u200b zero width, \ufeff mark",
    "0123456789",
    "▁ is a character too",
    "<0x41> is no byte",
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("tokenizers")
    return {name: save(make(), root / name.replace(" ", "-")) for name, make in KINDS.items()}


@pytest.fixture(scope="module")
def loaded(folders):
    return {name: load_tokenizer(folder) for name, folder in folders.items()}


LOSSLESS = {name: [text for text in TRICKY if "sentencepiece" not in name or "▁" not in text] for name in KINDS}


@pytest.mark.parametrize("name", KINDS)
def test_the_bytes_of_the_tokens_are_the_bytes_of_the_text(loaded, name):
    for text in LOSSLESS[name]:
        tokens = loaded[name].encode(text)
        assert b"".join(token.bytes for token in tokens) == text.encode(), text
        if not (name == "sentencepiece, first" and text.startswith(" ")):  # there a first space is ambiguous
            assert loaded[name].decode([token.id for token in tokens]) == text
        assert [token.id for token in tokens] == loaded[name].ids(text)


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60))
def test_byte_level_loses_nothing_whatever_the_text(text):
    tokens = BYTE_LEVEL.encode(text)
    assert b"".join(token.bytes for token in tokens) == text.encode()
    assert BYTE_LEVEL.decode(BYTE_LEVEL.ids(text)) == text
    assert all(text[t.start : t.end].encode().find(t.bytes) >= 0 for t in tokens)
    covered = {n for token in tokens for n in range(token.start, token.end)}
    assert covered == set(range(len(text)))


def _byte_level():
    from lab.tokenizer import FastTokenizer

    return FastTokenizer(json.loads(byte_level().to_str()), name="byte level")


BYTE_LEVEL = _byte_level()


def test_places_are_code_points_and_bytes_of_one_character_share_them():
    tokens = load_tokenizer("bytes").encode("aé🙂")
    assert [(t.bytes, t.start, t.end) for t in tokens] == [
        (b"a", 0, 1),
        (b"\xc3", 1, 2),
        (b"\xa9", 1, 2),
        (b"\xf0", 2, 3),
        (b"\x9f", 2, 3),
        (b"\x99", 2, 3),
        (b"\x82", 2, 3),
    ]
    assert [t.text for t in tokens] == ["a", *["\ufffd"] * 6]
    tokens = BYTE_LEVEL.encode("x 🙃🙂 y")
    assert b"".join(t.bytes for t in tokens) == "x 🙃🙂 y".encode()
    assert tokens[-1].end == len("x 🙃🙂 y") == 6


def test_places_keep_the_space_that_a_post_processor_would_trim():
    tokens = BYTE_LEVEL.encode("The cat sat")
    assert [(t.text, t.start, t.end) for t in tokens] == [("The", 0, 3), (" cat", 3, 7), (" sat", 7, 11)]


@pytest.mark.parametrize("name", KINDS)
def test_control_tokens_in_a_persons_text_stay_text(loaded, name):
    tokenizer = loaded[name]
    text = "say <|user|> and </s>"
    plain, parsed = tokenizer.encode(text), tokenizer.encode(text, parse_special=True)
    assert not any(token.special for token in plain)
    assert [t.text for t in parsed if t.special] == ["<|user|>", "</s>"]
    assert b"".join(t.bytes for t in plain) == text.encode()
    assert set(SPECIAL) <= set(tokenizer.special_tokens)
    assert "<tool_call>" not in tokenizer.special_tokens


@pytest.mark.parametrize("name", KINDS)
def test_ids_and_texts_are_those_of_transformers(folders, loaded, name):
    from transformers import PreTrainedTokenizerFast

    theirs = PreTrainedTokenizerFast.from_pretrained(folders[name])
    for text in TRICKY:
        ids = theirs(text, add_special_tokens=False)["input_ids"]
        assert loaded[name].ids(text, parse_special=True) == ids, text
        assert loaded[name].decode(ids) == theirs.decode(ids, clean_up_tokenization_spaces=False), text
        without = theirs(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert loaded[name].ids(text) == without, text


def test_characters_and_bytes_are_their_own_vocabulary():
    characters = load_tokenizer("characters")
    assert characters.ids("aé🙂") == [97, 233, 0x1F642]
    assert characters.decode([97, 233, 0x1F642]) == "aé🙂"
    assert load_tokenizer("bytes").ids("é") == [0xC3, 0xA9]
    assert load_tokenizer("bytes").decode([0xC3]) == "\ufffd"
    for name in ("bytes", "characters"):
        with pytest.raises(ModelError, match="outside"):
            load_tokenizer(name).token_bytes(0x110000)


def test_half_a_surrogate_pair_becomes_a_replacement_character():
    for tokenizer in (load_tokenizer("bytes"), load_tokenizer("characters"), BYTE_LEVEL):
        tokens = tokenizer.encode("a\ud83db")
        assert b"".join(t.bytes for t in tokens).decode() == "a\ufffdb"
        assert tokens[-1].end == 3


def test_the_byte_alphabet_is_gpt2s():
    alphabet = byte_alphabet()
    assert sorted(alphabet.values()) == list(range(256))
    assert (alphabet["Ġ"], alphabet["Ċ"], alphabet["A"], alphabet["ł"]) == (0x20, 0x0A, 0x41, 0xA0)


def test_what_stands_beside_it(tmp_path):
    folder = save(byte_level(), tmp_path / "model", eos_token={"content": "<|im_end|>"}, bos_token=None)
    (folder / "generation_config.json").write_text('{"eos_token_id": [1, 6]}')
    tokenizer = load_tokenizer(folder)
    assert tokenizer.named_tokens == {"eos_token": "<|im_end|>", "pad_token": "<pad>"}
    assert tokenizer.end_ids == (6, 1) and tokenizer.end_id == 6
    assert tokenizer.chat_template is None and tokenizer.name == "model"
    named = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]
    save(byte_level(), folder, template=named)
    assert load_tokenizer(folder).chat_template == "yes"
    (folder / "chat_template.jinja").write_text("the file wins")
    assert load_tokenizer(folder).chat_template == "the file wins"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no tokenizer.json"),
        (b"{", "cannot be read"),
        (b"[1]", "no `model` part"),
        (b'{"model": 3}', "cannot be read"),
    ],
)
def test_a_folder_without_a_usable_tokenizer_says_so(tmp_path, content, message):
    if content is not None:
        (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_tokenizer(tmp_path)


def test_an_unknown_reference_says_so():
    with pytest.raises(ModelError, match="no tokenizer 'bundled:nothing'"):
        load_tokenizer("bundled:nothing")


def test_importing_it_loads_neither_torch_nor_transformers():
    code = "import sys, lab.tokenizer, lab.chat_template; print({'torch', 'transformers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_downloaded_model_of_the_hub_by_its_name(tmp_path, monkeypatch):
    snapshot = tmp_path / "models--org--tiny" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (tmp_path / "models--org--tiny" / "refs").mkdir()
    (tmp_path / "models--org--tiny" / "refs" / "main").write_text("abc")
    shutil.copyfile(ASSETS / "base" / "tokenizer.json", snapshot / "tokenizer.json")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert load_tokenizer("org/tiny").ids("a river") == load_tokenizer("bundled:base").ids("a river")
    with pytest.raises(ModelError, match="downloaded"):
        load_tokenizer("org/other")
