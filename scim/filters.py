"""Filters (RFC 7644 §3.4.2.2) and PATCH paths (§3.5.2, figure 7), resolved against the schemas.

The only door to scim2-filter-parser, which is sound as a grammar and nothing more. Mended here:
its lexer's numbers, literals, string escapes and URNs; attributes called `co` or `not`; `and` binding
no tighter than `or`; attributes that don't exist; names in another letter case; its lack of any bound.
Its SQL is never used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, ClassVar, Final

from scim2_filter_parser import ast, lexer, parser

from scim.attributes import AttrPath, ResourceType
from scim.errors import InvalidFilter, InvalidPath, ScimError
from scim.nodes import And, Compare, Node, Not, Or, PatchPath, Present, ValuePath
from scim.operand import Scalar, operand
from scim.text import storable

MAX_LENGTH: Final = 8_192
MAX_DEPTH: Final = 24
MAX_TERMS: Final = 256
_CACHED_LENGTH: Final = 512

_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.:-])"
_WORD_ENDS = r"(?![\w.:$-])"
_WORDS: Final = frozenset(
    {"EQ", "NE", "GT", "GE", "LT", "LE", "CO", "SW", "EW", "PR", "AND", "OR", "NOT", "TRUE", "FALSE", "NULL"}
)  # fmt: skip
"""Kinds of tokens that are words: where an attribute is expected, they are its name."""
_BEFORE_NAMES: Final = frozenset({"", "AND", "OR", "LPAREN", "LBRACKET", "SCHEMA_URI"})
"""After which kinds of tokens, or at the beginning, an attribute is expected."""


class _Literal:
    """A compValue with its JSON type, which the library's AST passes through untouched."""

    __slots__ = ("value",)

    def __init__(self, value: Scalar | None) -> None:
        self.value = value


class _Raw:
    """A token as it stands: the library strips a string's quotes before it could read escapes."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def __call__(self, _lexer: Any, token: Any) -> Any:
        return token


class _Lexer(lexer.SCIMLexer):  # type: ignore[misc]  # the library has no types
    tokens: ClassVar = set(lexer.SCIMLexer.tokens)

    # `trueName` is an attribute; Entra writes `True`.
    FALSE = r"(?i:false)" + _WORD_ENDS
    TRUE = r"(?i:true)" + _WORD_ENDS
    NULL = r"(?i:null)" + _WORD_ENDS
    NUMBER = _NUMBER
    COMP_VALUE = _Raw(r'"(?:[^"\\]|\\.)*"')
    # What RFC 8141 lets a URN hold, as far as a schema's can (`scim.custom`): never what ends an attribute's path.
    SCHEMA_URI = _Raw(r"[a-zA-Z]+:[a-zA-Z0-9()+.:=@;$_!*-]+:")


def parse_filter(text: str, of: ResourceType) -> Node:
    """A filter as its AST; raises InvalidFilter.

    Unknown attributes, wrong operators for a type and values of another type are refused.
    `x eq null` and `x ne null` become absence and presence.
    """
    return _cached_filter(text, of) if len(text) <= _CACHED_LENGTH else _filter(text, of)


def parse_path(text: str, of: ResourceType) -> PatchPath:
    """A PATCH path: `name.givenName`, `emails[type eq "work"].value`, `URN:department`, `URN`.

    Raises InvalidPath, or InvalidFilter for what stands in the brackets.
    """
    return _cached_path(text, of) if len(text) <= _CACHED_LENGTH else _patch_path(text, of)


def _filter(text: str, of: ResourceType) -> Node:
    return _Resolver(of).node(_parse(text))


def _patch_path(text: str, of: ResourceType) -> PatchPath:
    if len(text) > MAX_LENGTH:
        raise InvalidPath(f"A path may have {MAX_LENGTH} characters at most.")
    text = text.strip()
    extension = of.extension(text)
    if extension is not None:
        return PatchPath(extension.id, None, None, None)
    head, bracket, rest = text.partition("[")
    path = of.find(head.strip())
    if path is None:
        raise InvalidPath(f"{of.name} has no attribute {head[:200]!r}.")
    if not bracket:
        return PatchPath(path.urn, path.attribute, None, path.sub)
    inner, closed, tail = rest.rpartition("]")
    if not closed or path.sub is not None or not path.attribute.multi_valued:
        raise InvalidPath(f"{head[:200]!r} cannot be followed by a filter in brackets.")
    sub = None
    if tail:
        sub = path.attribute.sub(tail[1:]) if tail.startswith(".") else None
        if sub is None:
            raise InvalidPath(f"{head[:200]!r} has no sub-attribute {tail[:200]!r}.")
    node = _Resolver(of, path).node(_parse(inner))
    return PatchPath(path.urn, path.attribute, node, sub)


# Only short texts are kept, so that what a client sends can't fill the memory.
_cached_filter = lru_cache(maxsize=1_024)(_filter)
_cached_path = lru_cache(maxsize=1_024)(_patch_path)


def _parse(text: str) -> Any:
    """Tokens checked for size and nesting first: the library has no bound of its own."""
    if len(text) > MAX_LENGTH:
        raise InvalidFilter(f"A filter may have {MAX_LENGTH} characters at most.")
    try:
        tokens = list(_typed(_named(list(_Lexer().tokenize(text)))))
        _check_size(tokens)
        tree = parser.SCIMParser().parse(iter(tokens))
    except ScimError:
        raise
    except (parser.SCIMParserError, ValueError, TypeError, AttributeError, IndexError) as why:
        # What the library raises on malformed text depends on where the text ends.
        raise InvalidFilter(f"The filter cannot be read: {text[:200]!r}.") from why
    if tree is None:
        raise InvalidFilter("The filter is empty or breaks off.")
    return tree


def _named(tokens: list[Any]) -> Iterator[Any]:
    """Tell names from operators and values by where they stand: an attribute may be called `co` or `true`."""
    before = ""
    for number, token in enumerate(tokens):
        if token.type in _WORDS and before in _BEFORE_NAMES:
            following = tokens[number + 1].type if number + 1 < len(tokens) else ""
            if token.type != "NOT" or before == "SCHEMA_URI" or following != "LPAREN":
                token.type = "ATTRNAME"
        before = token.type
        yield token


def _typed(tokens: Iterator[Any]) -> Iterator[Any]:
    end = 0
    for token in tokens:
        match token.type:
            case "TRUE" | "FALSE":
                token.value = _Literal(token.type == "TRUE")
            case "NULL":
                token.value = _Literal(None)
            case "NUMBER":
                token.value = _Literal(_number(token.value))
            case "COMP_VALUE":
                token.value = _Literal(_string(token.value))
            case "SCHEMA_URI":
                token.value = token.value[:-1]
            case "SUBATTR" if token.index != end:
                raise InvalidFilter("A sub-attribute's dot stands apart from its attribute.")
            case _:
                pass
        end = token.end
        yield token


def _number(text: str) -> float:
    number: float = json.loads(text)
    if abs(number) > 2**53:
        raise InvalidFilter(f"{text[:40]} is out of range.")
    return number


def _string(text: str) -> str:
    try:
        value: str = json.loads(text)
    except ValueError as why:
        raise InvalidFilter(f"{text[:200]!r} is not a JSON string.") from why
    if not storable(value):
        raise InvalidFilter("A string in the filter holds a character that no attribute can.")
    return value


def _check_size(tokens: list[Any]) -> None:
    depth = terms = 0
    for token in tokens:
        if token.type in {"LPAREN", "LBRACKET"}:
            depth += 1
        elif token.type in {"RPAREN", "RBRACKET"}:
            depth -= 1
        elif token.type == "ATTRNAME":
            terms += 1
        if depth > MAX_DEPTH or terms > MAX_TERMS:
            raise InvalidFilter(
                f"A filter may nest {MAX_DEPTH} deep and name {MAX_TERMS} attributes at most."
            )


class _Resolver:
    """Turns the library's tree into ours. `scope` is the attribute before the brackets."""

    def __init__(self, of: ResourceType, scope: AttrPath | None = None) -> None:
        self._of = of
        self._scope = scope

    def node(self, tree: Any) -> Node:
        """`tree` is an ast.Filter: of an expression, of brackets, or of what stood in parentheses.

        Only the first two can be regrouped with their neighbours.
        """
        if tree.negated:
            return Not(self.node(tree.expr))
        match tree.expr:
            case ast.Filter(namespace=None) as inner:
                return self.node(inner)
            case ast.Filter() as brackets:
                return self._value_path(brackets)
            case ast.LogExpr() as logical:
                return self._logical(logical)
            case expression:
                return self._expression(expression)

    def _logical(self, tree: Any) -> Node:
        # The library reads `a or b and c` from the left. Its left spine, as far as no parenthesis
        # stands in it, is the sequence as written: split it at `or`, then at `and`.
        operands, operators = [], []
        while isinstance(tree, ast.LogExpr):
            operands.append(tree.expr2)
            operators.append(tree.op.lower())
            left = tree.expr1
            tree = left.expr
        operands.append(left)
        groups: list[list[Node]] = [[]]
        for part, operator in zip(reversed(operands), [*reversed(operators), "and"], strict=True):
            groups[-1].append(self.node(part))
            if operator == "or":
                groups.append([])
        alternatives = [g[0] if len(g) == 1 else And(tuple(g)) for g in groups]
        return alternatives[0] if len(alternatives) == 1 else Or(tuple(alternatives))

    def _value_path(self, tree: Any, *extra: Node) -> ValuePath:
        path = self._path(tree.namespace, whole=True)
        if self._scope is not None or path.sub is not None:
            raise InvalidFilter("Brackets stand behind a top-level attribute only.")
        if not (path.attribute.is_complex or path.attribute.multi_valued):
            raise InvalidFilter(f"{path.text} has no sub-attributes to filter by.")
        inner = _Resolver(self._of, path).node(tree.expr)
        return ValuePath(path, And((inner, *extra)) if extra else inner)

    def _expression(self, tree: Any) -> Node:
        operator = tree.value.lower()
        literal = None if tree.comp_value is None else tree.comp_value.value
        if not isinstance(tree.attr_path.attr_name, ast.Filter):
            return self.comparison(tree.attr_path, operator, literal)
        # `emails[type eq "work"].value eq "x"`: both are asked of the same entry. The library has
        # moved the sub-attribute into the name before the brackets.
        return self._same_entry(tree.attr_path.attr_name, operator, literal)

    def _same_entry(self, brackets: Any, operator: str, literal: Any) -> Node:
        namespace = brackets.namespace
        sub_attr, namespace.sub_attr = namespace.sub_attr, None
        if sub_attr is None and operator == "pr":
            return self._value_path(brackets)
        scope = self._path(namespace, whole=True)
        name = "value" if sub_attr is None else sub_attr.value
        asked = ast.AttrPath(name, None, None)
        extra = _Resolver(self._of, scope).comparison(asked, operator, literal)
        return self._value_path(brackets, extra)

    def comparison(self, tree: Any, operator: str, literal: Any) -> Node:
        path = self._path(tree, whole=operator == "pr")
        if path.leaf.returned == "never":
            raise InvalidFilter(f"{path.text} cannot be filtered by.")
        if operator == "pr":
            return Present(path)
        value = literal.value
        if value is None:
            if operator not in {"eq", "ne"}:
                raise InvalidFilter(f"null can be compared by eq and ne only, not by {operator}.")
            return Not(Present(path)) if operator == "eq" else Present(path)
        return Compare(path, operator, operand(path, operator, value), value)

    def _path(self, tree: Any, *, whole: bool) -> AttrPath:
        """Resolves a name. Unless the `whole` is meant, a complex attribute stands for its
        `value` (RFC 7643 §2.4).
        """
        name = tree.attr_name
        if not isinstance(name, str):
            raise InvalidFilter("Brackets cannot follow brackets.")
        if tree.sub_attr is not None:
            name = f"{name}.{tree.sub_attr.value}"
        path = self._scoped(name) if tree.uri is None else self._find(f"{tree.uri}:{name}")
        if whole or not path.leaf.is_complex:
            return path
        value = path.attribute.sub("value")
        if value is None:
            raise InvalidFilter(f"{path.text} has sub-attributes: name one of them.")
        return AttrPath(path.urn, path.attribute, value)

    def _scoped(self, name: str) -> AttrPath:
        if self._scope is None:
            return self._find(name)
        urn, attribute = self._scope.urn, self._scope.attribute
        if not attribute.is_complex and name.lower() == "value":
            return self._scope
        sub = attribute.sub(name)
        if sub is None:
            raise InvalidFilter(f"{self._scope.text} has no sub-attribute {name[:200]!r}.")
        return AttrPath(urn, attribute, sub)

    def _find(self, name: str) -> AttrPath:
        path = self._of.find(name) if self._scope is None else None
        if path is None:
            raise InvalidFilter(f"{self._of.name} has no attribute {name[:200]!r}.")
        return path
