"""A small synthetic world with known truth: what the bundled model is trained on.

from lab.world import World
world = World(seed=0)
for document in world.documents(5): print(document.text)
for problem in world.problems("word_problems", 2, 5): print(problem.question, problem.worked)
world.truth.famous[0]                   # the people, places, words and events that everything is made of
"""

from __future__ import annotations

from lab.world.arithmetic import WordProblem as WordProblem
from lab.world.crawl import CrawledPage as CrawledPage
from lab.world.preferences import WorldPreference as WorldPreference
from lab.world.truth import Settings as Settings
from lab.world.web import WebPage as WebPage
from lab.world.world import Document as Document
from lab.world.world import World as World
from lab.world.world import WorldConversation as WorldConversation

__all__ = [
    "CrawledPage",
    "Document",
    "Settings",
    "WebPage",
    "WordProblem",
    "World",
    "WorldConversation",
    "WorldPreference",
]
