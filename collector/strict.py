"""strict: from YAML text to frozen data, with every mistake told at once: file, place, line, and what to write.

People write configuration, policy and rules; a typing error must not pass as a default. Unknown and repeated keys are
refused, texts stay texts (`NO` is Norway, not false), and nothing is converted on a guess. What to write is the
description in a field's `Meta`. Reads no files itself.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import types
import typing
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin

import msgspec
import yaml

T = TypeVar("T")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C reads a thousand lines ten times as fast; not every build of PyYAML has it."""
_NULL, _BOOL = "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"


class Mistake(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One thing that is wrong in a file."""

    file: str
    line: int
    """From 1; 0 where the file as a whole cannot be read."""
    place: str
    """Dotted, such as retention.days; empty for the file as a whole."""
    text: str

    def __str__(self) -> str:
        if not self.line:
            return f"{self.file}: {self.text}"
        where = f"{self.place} (line {self.line})" if self.place else f"line {self.line}"
        return f"{self.file}: {where}: {self.text}"


class MistakesError(ValueError):
    """Files that cannot be used. `mistakes` holds everything that is wrong in them, sorted."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(map(str, self.mistakes)))


class Document:
    """One YAML text while it is read: where each place stands, and what is wrong so far."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []
        self._lines: dict[str, int] = {"": 1}
        self._values = yaml.SafeLoader("")
        self._root: yaml.Node | None = None
        self._plain: Any = None
        try:
            self._root = _compose(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            self._lines[""] = mark.line + 1 if mark is not None else 1
            self.add("", f"is not YAML: {getattr(error, 'problem', None) or error}")

    def add(self, place: str, text: str) -> None:
        """Note a mistake at a dotted place."""
        written = place
        while written not in self._lines:
            written = written[: max(written.rfind("."), written.rfind("["), 0)]
        self.mistakes.append(Mistake(file=self.file, line=self._lines[written], place=place, text=text))

    def read(self, struct: type[T]) -> T | None:
        """The text as the struct; None when anything is wrong. An empty text is an empty block."""
        if self.mistakes:
            return None
        try:
            self._plain = {} if self._root is None else self._build(self._root, struct, "", "")
        except RecursionError:
            self.add("", "is nested too deeply")
        if not self.mistakes:
            try:
                return msgspec.convert(self._plain, struct)
            except msgspec.ValidationError as error:
                message, _, place = str(error).partition(" - at `$")
                self.add(place.strip("`").removeprefix("."), _lower(message))
        return None

    def checked(self, struct: type[T], wrong: Callable[[T], Iterable[tuple[str, str]]]) -> T:
        """The text as the struct, if nothing at all is wrong with it.

        Args:
            wrong: what is wrong although every field has its type: dotted place and text.

        Raises:
            MistakesError: what is wrong, each with place and line.
        """
        found = self.read(struct)
        if found is not None:
            for place, text in wrong(found):
                self.add(place, text)
        if found is None or self.mistakes:
            raise MistakesError(self.mistakes)
        return found

    def read_rest(self, struct: type[T]) -> T:
        """What is right in a text that `read` refused, so that one mistake does not hide the others.

        Args:
            struct: every field has a default, which stands for what is wrong or missing.
        """
        found: dict[str, Any] = {}
        plain = self._plain if isinstance(self._plain, dict) else {}
        for field in msgspec.structs.fields(cast("type[msgspec.Struct]", struct)):
            with contextlib.suppress(msgspec.ValidationError):
                if field.encode_name in plain:
                    found[field.name] = msgspec.convert(plain[field.encode_name], field.type)
        return struct(**found)

    def _build(self, node: yaml.Node, wanted: Any, place: str, hint: str) -> Any:
        """The node as plain data that fits the type. What does not fit is noted."""
        self._lines[place] = node.start_mark.line + 1
        inner, hint = _unwrap(wanted, hint)
        origin = get_origin(inner)
        if inner is Any:
            return self._anything(node, place)
        if origin in (types.UnionType, typing.Union):
            choices = [each for each in get_args(inner) if each is not type(None)]
            if isinstance(node, yaml.ScalarNode) and node.tag == _NULL and len(choices) < len(get_args(inner)):
                return None
            return self._build(node, choices[0], place, hint)
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            return self._struct(node, inner, place, hint)
        if origin is dict:
            if not isinstance(node, yaml.MappingNode):
                return self._refuse(node, place, "a block of keys", hint)
            value_type = get_args(inner)[1]
            return {key: self._build(each, value_type, _join(place, key), "") for key, each in self._pairs(node, place)}
        if origin in (tuple, frozenset):
            return self._sequence(node, wanted, place, hint)
        return self._scalar(node, wanted, place, hint)

    def _struct(self, node: yaml.Node, wanted: type[msgspec.Struct], place: str, hint: str) -> Any:
        fields = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
        if not isinstance(node, yaml.MappingNode):
            return self._refuse(node, place, "a block of keys", hint or f"one or more of {', '.join(sorted(fields))}")
        built: dict[str, Any] = {}
        for key, each in self._pairs(node, place):
            if key in fields:
                built[key] = self._build(each, fields[key].type, _join(place, key), "")
            else:
                self._lines[_join(place, key)] = each.start_mark.line + 1
                self.add(_join(place, key), f"unknown key; {nearest(key, fields)}")
        for name, field in fields.items():
            if field.required and name not in built:
                self.add(_join(place, name), f"missing{_write(_unwrap(field.type, '')[1])}")
        return built

    def _sequence(self, node: yaml.Node, wanted: Any, place: str, hint: str) -> Any:
        inner, _ = _unwrap(wanted, hint)
        if not isinstance(node, yaml.SequenceNode):
            return self._refuse(node, place, "a list", hint)
        item = get_args(inner)[0]
        built = [self._build(each, item, f"{place}[{index}]", "") for index, each in enumerate(node.value)]
        least = next((m.min_length for m in getattr(wanted, "__metadata__", ()) if m.min_length), 0)
        if len(built) < least:
            self.add(place, f"expected at least {least} of them, got {len(built)}{_write(hint)}")
        return built

    def _scalar(self, node: yaml.Node, wanted: Any, place: str, hint: str) -> Any:
        inner, _ = _unwrap(wanted, hint)
        if not isinstance(node, yaml.ScalarNode):
            return self._refuse(node, place, _name(inner), hint)
        text_wanted = inner is str or get_origin(inner) is Literal
        value = node.value if text_wanted and node.tag == _BOOL else self._value(node)
        try:
            msgspec.convert(value, wanted)
        except msgspec.ValidationError as error:
            told, _, expected = str(error).partition("Expected ")
            by_name = get_origin(inner) is Literal or told  # "Invalid ...": the text has not the form of its type
            expected = _name(inner) if by_name else expected.partition(", got")[0].replace("`", "")
            return self._refuse(node, place, expected, hint, value)
        return value

    def _anything(self, node: yaml.Node, place: str) -> Any:
        self._lines[place] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return {key: self._anything(each, _join(place, key)) for key, each in self._pairs(node, place)}
        if isinstance(node, yaml.SequenceNode):
            return [self._anything(each, f"{place}[{index}]") for index, each in enumerate(node.value)]
        return self._value(node)

    def _value(self, node: yaml.Node) -> Any:
        try:
            return self._values.construct_object(node)
        except (ValueError, yaml.YAMLError):
            return node.value

    def _pairs(self, node: yaml.MappingNode, place: str) -> list[tuple[str, yaml.Node]]:
        pairs: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = str(key_node.value)
            if key in pairs:
                self._lines[_join(place, key)] = key_node.start_mark.line + 1
                self.add(_join(place, key), "is written twice; keep one")
            pairs[key] = value
        return list(pairs.items())

    def _refuse(self, node: yaml.Node, place: str, expected: str, hint: str, value: Any = None) -> None:
        match node:
            case yaml.MappingNode():
                got = "a block of keys"
            case yaml.SequenceNode():
                got = "a list"
            case _ if node.tag == _NULL:
                got = "nothing"
            case _:
                got = json.dumps(self._value(node) if value is None else value, default=str, ensure_ascii=False)
        self.add(place, f"expected {expected}, got {got}{_write(hint)}")


def _compose(text: str) -> yaml.Node | None:
    """The text as a tree. What is wrong in it is told by the loader in Python, whose words say more."""
    try:
        return yaml.compose(text, _LOADER)
    except yaml.YAMLError:
        return yaml.compose(text, yaml.SafeLoader)


def nearest(name: str, known: Iterable[str]) -> str:
    """What the writer may have meant."""
    names = sorted(known)
    if not names:
        return "none is named"
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6) or [
        each for each in names if each.lower() == name.lower()
    ]
    if close:
        return f"did you mean {close[0]}?"
    return f"use one of {', '.join(names)}" if len(names) <= 20 else "no name is near it"


def _unwrap(wanted: Any, hint: str) -> tuple[Any, str]:
    """The type without its annotations, and the nearest description."""
    if get_origin(wanted) is Annotated:
        inner, *notes = get_args(wanted)
        own = next((note.description for note in notes if isinstance(note, msgspec.Meta) and note.description), hint)
        return _unwrap(inner, own)
    if get_origin(wanted) in (types.UnionType, typing.Union) and not hint:
        return wanted, next((found for each in get_args(wanted) if (found := _unwrap(each, "")[1])), "")
    return wanted, hint


def _name(wanted: Any) -> str:
    if get_origin(wanted) is Literal:
        return f"one of {', '.join(get_args(wanted))}"
    return str(wanted.__name__)


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _write(hint: str) -> str:
    return f"; write {hint}" if hint else ""


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].replace("`", "")
