"""The same few sentences in several languages, written for Nudge: what a tokenizer makes dear and what cheap."""

from __future__ import annotations

from typing import NamedTuple

from lab.tokenizer import Tokenizer

PARALLEL = {
    "English": "The child reads a book. Tomorrow we will go to the market and buy bread, milk and five apples.",
    "German": "Das Kind liest ein Buch. Morgen gehen wir zum Markt und kaufen Brot, Milch und fünf Äpfel.",
    "French": "L'enfant lit un livre. Demain nous irons au marché et achèterons du pain, du lait et cinq pommes.",
    "Spanish": "El niño lee un libro. Mañana iremos al mercado y compraremos pan, leche y cinco manzanas.",
    "Turkish": "Çocuk bir kitap okuyor. Yarın pazara gideceğiz ve ekmek, süt ve beş elma alacağız.",
    "Russian": "Ребёнок читает книгу. Завтра мы пойдём на рынок и купим хлеб, молоко и пять яблок.",
    "Greek": "Το παιδί διαβάζει ένα βιβλίο. Αύριο θα πάμε στην αγορά και θα αγοράσουμε ψωμί, γάλα και πέντε μήλα.",
    "Arabic": "الطفل يقرأ كتابا. غدا سنذهب إلى السوق ونشتري خبزا وحليبا وخمس تفاحات.",
    "Hindi": "बच्चा किताब पढ़ता है। कल हम बाज़ार जाएँगे और रोटी, दूध और पाँच सेब खरीदेंगे।",
    "Chinese": "孩子在看书。明天我们去市场买面包、牛奶和五个苹果。",
    "Japanese": "子どもが本を読んでいます。明日、私たちは市場へ行って、パンと牛乳とりんごを五つ買います。",
    "Korean": "아이가 책을 읽는다. 내일 우리는 시장에 가서 빵과 우유와 사과 다섯 개를 살 것이다.",
}
"""Two sentences that say the same."""


class Cost(NamedTuple):
    """What the sentences cost in one language. `ratio` is tokens against English."""

    language: str
    tokens: int
    bytes: int
    ratio: float


def costs(tokenizer: Tokenizer) -> list[Cost]:
    """Tokens of the same two sentences in each language."""
    counts = {language: len(tokenizer.ids(text)) for language, text in PARALLEL.items()}
    english = counts["English"]
    return [
        Cost(language, counts[language], len(text.encode()), counts[language] / english)
        for language, text in PARALLEL.items()
    ]
