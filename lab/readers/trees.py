"""Formats whose rows are trees of messages: Open Assistant's, and the export of a ChatGPT account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lab.readers.contents import text_of
from lab.readers.format import Format, Gathered, Record, fields_of
from lab.readers.json_rows import Row
from lab.readers.pairs import make_pair
from lab.readers.report import Mending, Refused, RowProblem
from lab.readers.turns import Turn, conversation, role_of

_DEEPEST = 200
_MOST_PATHS = 2000
_ORPHANS = "messages without their parent"


class OpenAssistant(Format):
    """Trees of messages with ranked replies; from each the path of the best replies.

    A row is a tree (with or without a `prompt` around it), or one message of a tree with its `parent_id`.
    """

    name, title = "oasst", "Open Assistant trees (best replies)"

    def matches(self, value: Any) -> bool:
        root = _root(value)
        return root is not None and "role" in root and ("replies" in root or "parent_id" in root)

    def gather(self, rows: Iterable[Row | RowProblem]) -> Iterator[Row | Gathered | RowProblem]:
        """Messages that stand one a row are put together as their tree: they follow each other in these files."""
        held: list[Row] = []
        tree: Any = None
        for row in rows:
            loose = isinstance(row, Row) and _is_loose(row.value)
            of = row.value.get("message_tree_id", tree) if isinstance(row, Row) and loose else None
            if held and (not loose or of != tree or row.value.get("parent_id") is None):  # type: ignore[union-attr]
                yield _tree_of(held)
                held = []
            tree = of
            if isinstance(row, Row) and loose:
                held.append(row)
            else:
                yield row
        if held:
            yield _tree_of(held)

    def paths(self, root: dict[str, Any]) -> list[list[Turn]]:
        """The paths to read: here the one of the best replies."""
        return [best_path(root)]

    def read(self, value: Any, mending: Mending) -> list[Record]:
        fields_of(value, "a tree of messages")
        root = _root(value)
        if root is None:
            raise Refused("the row is no tree of messages", "it needs `text`, `role` and `replies`", code="no tree")
        if orphans := root.get(_ORPHANS):
            mending.done.append(f"{orphans} messages whose parent is not in the file were left out")
        return [conversation(path, mending) for path in self.paths(root)]


class OpenAssistantAll(OpenAssistant):
    """The same trees; from each every path that ends with a reply of the assistant."""

    name, title = "oasst_all", "Open Assistant trees (every path)"

    def matches(self, value: Any) -> bool:
        return False  # chosen by a person only: the best path is the default

    def paths(self, root: dict[str, Any]) -> list[list[Turn]]:
        return all_paths(root)


class OpenAssistantPairs(OpenAssistant):
    """The same trees; wherever a message has several ranked replies, the best and the worst of them as a pair."""

    name, kind, title = "oasst_pairs", "preferences", "Open Assistant trees (best and worst reply)"

    def matches(self, value: Any) -> bool:
        return False  # chosen by a person only

    def read(self, value: Any, mending: Mending) -> list[Record]:
        fields_of(value, "a tree of messages")
        pairs: list[Record] = [
            make_pair(path, best, worst, mending) for path, best, worst in ranked_replies(_root(value) or {})
        ]
        if not pairs:
            raise Refused("no message has two ranked replies", "choose another format", code="no ranked replies")
        return pairs


def _root(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    prompt = value.get("prompt")
    root = prompt if isinstance(prompt, dict) else value
    return root if "text" in root or "replies" in root else None


def _is_loose(value: Any) -> bool:
    return isinstance(value, dict) and "parent_id" in value and "text" in value and "replies" not in value


def _tree_of(rows: list[Row]) -> Gathered:
    """The tree of messages that stand one a row; messages whose parent is missing are counted."""
    nodes = [{**row.value, "replies": []} for row in rows]
    by_id = {node.get("message_id"): node for node in nodes}
    root: dict[str, Any] = nodes[0]
    orphans = 0
    for node in nodes[1:]:
        parent = by_id.get(node.get("parent_id"))
        if parent is not None and parent is not node:
            parent["replies"].append(node)
        else:
            orphans += 1
    root[_ORPHANS] = orphans
    return Gathered(rows[0].number, root, tuple(row.number for row in rows), any(row.damaged for row in rows))


def replies(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The replies to a message that were not deleted, the best-ranked first."""
    found = node.get("replies") or []
    if not isinstance(found, list):
        return []
    kept = [reply for reply in found if isinstance(reply, dict) and not reply.get("deleted")]
    return sorted(kept, key=lambda reply: reply["rank"] if isinstance(reply.get("rank"), (int, float)) else 1e9)


def _turn(node: dict[str, Any]) -> Turn:
    return Turn(node.get("role"), node.get("text"))


def best_path(root: dict[str, Any]) -> list[Turn]:
    """From the first message to the last reply, taking the best-ranked at each step; a question nobody answered, which
    ends many trees, is left off."""
    path = [root]
    while len(path) < _DEEPEST and (following := replies(path[-1])):
        path.append(following[0])
    turns = list(map(_turn, path))
    while len(turns) > 1 and _role(turns[-1]) != "assistant":
        turns.pop()
    return turns


def all_paths(root: dict[str, Any]) -> list[list[Turn]]:
    """Every path from the first message to a last reply."""
    found: list[list[Turn]] = []
    stack: list[tuple[dict[str, Any], list[Turn]]] = [(root, [_turn(root)])]
    while stack and len(found) < _MOST_PATHS:
        node, path = stack.pop()
        following = replies(node) if len(path) < _DEEPEST else []
        answered = [reply for reply in following if replies(reply) or _role(_turn(reply)) == "assistant"]
        if not answered and (_role(path[-1]) == "assistant" or len(path) == 1):
            found.append(path)
        stack += [(reply, [*path, _turn(reply)]) for reply in reversed(answered)]
    return found


def ranked_replies(root: dict[str, Any]) -> list[tuple[list[Turn], str, str]]:
    """For each message with ranked replies that differ: the path to it, and the texts of the best and the worst one."""
    found: list[tuple[list[Turn], str, str]] = []
    stack: list[tuple[dict[str, Any], list[Turn]]] = [(root, [_turn(root)])]
    while stack and len(found) < _MOST_PATHS:
        node, path = stack.pop()
        following = replies(node) if len(path) < _DEEPEST else []
        ranked = [each for each in following if isinstance(each.get("rank"), (int, float)) and _said_by_model(each)]
        if len(ranked) > 1 and ranked[0]["rank"] != ranked[-1]["rank"] and ranked[0]["text"] != ranked[-1]["text"]:
            found.append((path, ranked[0]["text"], ranked[-1]["text"]))
        stack += [(reply, [*path, _turn(reply)]) for reply in reversed(following)]
    return found


def _said_by_model(node: dict[str, Any]) -> bool:
    text = node.get("text")
    return _role(_turn(node)) == "assistant" and isinstance(text, str) and bool(text.strip())


def _role(turn: Turn) -> str:
    try:
        return role_of(turn)
    except Refused:
        return ""


class ChatGPTExport(Format):
    """`conversations.json` of a ChatGPT account: messages in a `mapping`, of which the path to `current_node` is what
    the person last saw."""

    name, title = "chatgpt", "ChatGPT export"

    def matches(self, value: Any) -> bool:
        return isinstance(value, dict) and isinstance(value.get("mapping"), dict)

    def read(self, value: Any, mending: Mending) -> list[Record]:
        mapping = fields_of(value, "a `mapping`").get("mapping")
        if not isinstance(mapping, dict):
            raise Refused("the row has no `mapping` of messages", "export the chats again", code="no mapping")
        turns: list[Turn] = []
        for node in _path(mapping, value.get("current_node")):
            message = node.get("message")
            if isinstance(message, dict) and not _hidden(message):
                turns.append(_chatgpt_turn(message, len(turns) + 1, mending))
        shown = _visible(turns)
        if left_out := sum(turn.role == "tool" for turn in turns):
            mending.done.append(f"{left_out} messages of tools were left out")
        return [conversation(shown, mending)]


def _path(mapping: dict[str, Any], current: Any) -> list[dict[str, Any]]:
    """The nodes from the root to the current one."""
    if current not in mapping:
        leaves = [name for name, node in mapping.items() if isinstance(node, dict) and not node.get("children")]
        current = leaves[-1] if leaves else None
    path, seen = [], set()
    while isinstance(mapping.get(current), dict) and current not in seen:
        seen.add(current)
        path.append(mapping[current])
        current = mapping[current].get("parent")
        if not isinstance(current, str):
            break
    return path[::-1]


def _hidden(message: dict[str, Any]) -> bool:
    about = message.get("metadata")
    return isinstance(about, dict) and bool(about.get("is_visually_hidden_from_conversation"))


def _chatgpt_turn(message: dict[str, Any], number: int, mending: Mending) -> Turn:
    author = message.get("author")
    role = author.get("role") if isinstance(author, dict) else None
    content = message.get("content")
    if isinstance(content, dict) and "parts" not in content:
        content = next((content[name] for name in ("text", "result", "content") if content.get(name) is not None), "")
    return Turn(role, text_of(content, f"turn {number}", mending))


def _visible(turns: list[Turn]) -> list[Turn]:
    """Without empty turns and with the parts of one answer joined: tools ran between them that are not in the export
    in a form that could be learned."""
    kept: list[Turn] = []
    for turn in turns:
        if not str(turn.content).strip() or turn.role == "tool":
            continue
        if kept and kept[-1].role == turn.role == "assistant":
            kept[-1].content = f"{kept[-1].content}\n\n{turn.content}"
        else:
            kept.append(turn)
    return kept
