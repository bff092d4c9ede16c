"""A chat template -> texts with places for what the messages say, one for each sequence of roles, where that is safe.

A template that does nothing with a message's content but write it, as it is or trimmed, writes the same around it whatever it
says. Its syntax tree shows whether it is one: contents stand only in what `{{ ... }}` adds up, or alone as a condition, where
any text but the empty one is true; no message, and no list of them, is handed to anything else. Then conversations of the same
roles are rendered once, with marks for contents, and the others are filled in: rendering was half of the time of short chats.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from jinja2 import Environment, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from pipeline.tokens.rendering import CLOSED, OPENED
from pipeline.tokens.tool_calls import Message
from pipeline.tokens.unfit import Unfit

Spans = list[tuple[int, int]]
Render = Callable[[Sequence[Message]], tuple[str, Spans | None]]
Mark = Callable[[Sequence[Message]], str]

EDGE = "\u2003"  # white space at both ends of a mark: `trim` takes it off
SLOT = re.compile(f"({EDGE}?)\ue000([0-9]+)\ue001({EDGE}?)")
TAG = re.compile(f"([{OPENED}{CLOSED}])")
MARKS = re.compile(f"[\ue000\ue001{OPENED}{CLOSED}\u2003]")
FILLED = {"role", "content", "weight"}  # what a message that is filled in may have
UNSTEADY = {"strftime_now", "random", "attr", "previtem", "nextitem", "weight"}  # names that bring what the roles do not decide
CAPTURING = (
    nodes.AssignBlock,
    nodes.Block,
    nodes.Extends,
    nodes.FilterBlock,
    nodes.FromImport,
    nodes.Import,
    nodes.Include,
    nodes.Macro,
    nodes.ScopedEvalContextModifier,
)  # what is written inside these is no output yet, or altered
BOUND = (nodes.Assign, nodes.Break, nodes.Continue, nodes.Scope)  # to what encloses them, so that tags cannot become marks
MOST = 10_000  # shapes that are kept


Edge = tuple[int, int]


class Shape(NamedTuple):
    """A rendered text with places: what stands between them, each one's message and whether it is trimmed; tagged spans.

    An edge is the characters of the template before it, and the number of places before it.
    """

    between: list[str]
    places: list[tuple[int, bool]]
    spans: list[tuple[Edge, Edge]] | None


class Shapes:
    """The shapes of one template that were met; a shape that cannot be told is None and rendered each time."""

    def __init__(self, *, tagged: bool) -> None:
        self._tagged = tagged
        self._known: dict[tuple[str, ...], Shape | None] = {}

    def fill(self, messages: Sequence[Message], render: Render, mark: Mark) -> tuple[str, Spans | None]:
        """Return a conversation's text and tagged spans as `render` would; raises what it raises.

        `mark` renders a conversation with `OPENED` and `CLOSED` for tags, once for all of the same roles.
        """
        if not all(message["content"] and message.keys() <= FILLED for message in messages):
            return render(messages)
        roles = tuple(message["role"] for message in messages)
        if roles not in self._known:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[roles] = _shape(roles, mark, tagged=self._tagged)
        shape = self._known[roles]
        return render(messages) if shape is None else _filled(shape, [message["content"] for message in messages])


class GenerationTag(Extension):
    """Reads `{% generation %}` as what it encloses."""

    tags = {"generation"}  # noqa: RUF012  as the library declares it

    def parse(self, parser: Parser) -> nodes.Node:
        """Return what stands between the tag and its end."""
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


@lru_cache(maxsize=8)
def shapes_of(template: str, special_tokens: tuple[tuple[str, str], ...]) -> Shapes | None:
    """Return the shapes of a template with some special tokens, None where its syntax does not show that it has any."""
    try:
        tree = Environment(extensions=[GenerationTag, "jinja2.ext.loopcontrols"]).parse(template)
    except TemplateError:
        return None
    marked = any(MARKS.search(text) for text in (template, *(token for _, token in special_tokens)))
    return Shapes(tagged=tree.find(nodes.Scope) is not None) if not marked and only_writes(tree) else None


def _shape(roles: Sequence[str], mark: Mark, *, tagged: bool) -> Shape | None:
    """Render a conversation of marks; a template that refuses these roles is left to refuse each conversation itself."""
    if any(MARKS.search(role) for role in roles):
        return None
    marked: list[Message] = [{"role": role, "content": f"{EDGE}\ue000{place}\ue001{EDGE}"} for place, role in enumerate(roles)]
    try:
        text = mark(marked)
    except Unfit:
        return None
    found = list(SLOT.finditer(text))
    if any(bool(one[1]) != bool(one[3]) for one in found):
        return None
    ends = [0, *(one.end() for one in found)]
    between = [text[end:start] for end, start in zip(ends, [*(one.start() for one in found), len(text)], strict=True)]
    places = [(int(one[2]), not one[1]) for one in found]
    return Shape([TAG.sub("", part) for part in between], places, _spans(between) if tagged else None)


def _spans(between: Sequence[str]) -> list[tuple[Edge, Edge]]:
    """Return the edges of what tags enclose, two by two."""
    edges, before = [], 0
    for places, part in enumerate(between):
        for piece in TAG.split(part):
            if TAG.match(piece):
                edges.append((before, places))
            else:
                before += len(piece)
    return list(zip(edges[::2], edges[1::2], strict=True))


def _filled(shape: Shape, contents: Sequence[str]) -> tuple[str, Spans | None]:
    said = [contents[place].strip() if trimmed else contents[place] for place, trimmed in shape.places]
    text = "".join([part for pair in zip(shape.between, [*said, ""], strict=True) for part in pair])
    if shape.spans is None:
        return text, None
    lengths = [0, *accumulate(map(len, said))]
    return text, [(start + lengths[first], end + lengths[last]) for (start, first), (end, last) in shape.spans]


def only_writes(tree: nodes.Template) -> bool:
    """Say whether a template only writes what messages say, so that the text around it depends on nothing but the roles."""
    if any(_name(node) in UNSTEADY for node in tree.find_all(nodes.Node)):
        return False
    if any(tree.find(kind) is not None for kind in CAPTURING):
        return False
    if any(tagged.find(kind) is not None for tagged in tree.find_all(nodes.Scope) for kind in BOUND):
        return False
    written = {id(node) for output in tree.find_all(nodes.Output) for part in output.nodes for node in _written(part)}
    tests = [*(node.test for node in tree.find_all(nodes.If)), *(node.test for node in tree.find_all(nodes.CondExpr))]
    asked = {id(node) for test in tests for node in _asked(test)}
    contents = [node for node in tree.find_all((nodes.Getattr, nodes.Getitem)) if _name(node) == "content"]
    return all(id(node) in written | asked for node in contents) and _keeps_to_itself(tree)


def _name(node: nodes.Node) -> str | None:
    """Return the name that a node reads: of a variable, an attribute, a filter, or a key written out."""
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem):
        return node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else None
    return node.name if isinstance(node, nodes.Name | nodes.Filter) else None


def _written(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield what an output adds up: contents as they are, or trimmed."""
    if isinstance(node, nodes.Add):
        yield from (*_written(node.left), *_written(node.right))
    elif isinstance(node, nodes.Concat):
        yield from (found for part in node.nodes for found in _written(part))
    elif _trims(node):
        yield node.node if isinstance(node, nodes.Filter) else node.node.node  # type: ignore[attr-defined, misc]
    else:
        yield node


def _trims(node: nodes.Node) -> bool:
    """Say whether a node is `... | trim` or `....strip()`, with nothing else to take off."""
    if not isinstance(node, nodes.Filter | nodes.Call) or node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        return False
    return node.name == "trim" if isinstance(node, nodes.Filter) else _name(node.node) == "strip"


def _asked(node: nodes.Node) -> Iterator[nodes.Node]:
    if isinstance(node, nodes.And | nodes.Or):
        yield from (*_asked(node.left), *_asked(node.right))
    elif isinstance(node, nodes.Not):
        yield from _asked(node.node)
    else:
        yield node


def _keeps_to_itself(tree: nodes.Template) -> bool:
    """Say whether messages are only looped over and asked for their parts by name."""
    loops = [node for node in tree.find_all(nodes.For) if _lists(node.iter)]
    if not all(isinstance(node.target, nodes.Name) for node in loops):
        return False
    singles = {node.target.name for node in loops if isinstance(node.target, nodes.Name)}
    allowed: set[int] = {id(node.iter) for node in loops}
    for filter_ in tree.find_all(nodes.Filter):
        if filter_.name == "length" and _lists(filter_.node):
            allowed.add(id(filter_.node))
    for item in tree.find_all(nodes.Getitem):
        if _lists(item.node) or _a_part(item):
            allowed.add(id(item.node))
    allowed |= {id(node.node) for node in tree.find_all(nodes.Getattr) if _a_part(node) and not _lists(node.node)}
    mine = [node for node in tree.find_all(nodes.Expr) if _lists(node) or _single(node, singles)]
    return all(id(node) in allowed or _stored(node) for node in mine)


def _a_part(node: nodes.Node) -> bool:
    """Say whether a node asks for a part by a name that is written out, and none of a dictionary's methods."""
    return _name(node) is not None and _name(node) not in dir(dict)


def _lists(node: Any) -> bool:  # noqa: ANN401  a node or None
    """Say whether an expression is the messages, or a slice of them."""
    if isinstance(node, nodes.Getitem):
        return isinstance(node.arg, nodes.Slice) and _lists(node.node)
    return isinstance(node, nodes.Name) and node.name == "messages"


def _single(node: nodes.Node, singles: set[str]) -> bool:
    """Say whether an expression is a message: a loop's variable, or one of the messages by its number."""
    if isinstance(node, nodes.Getitem):
        return _lists(node.node) and not isinstance(node.arg, nodes.Slice)
    return isinstance(node, nodes.Name) and node.name in singles


def _stored(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.ctx != "load" and node.name != "messages"
