"""Which uploads a command names: the gateway finds the fields by their type, not by the service they belong to."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from gateway.pointers import pointer
from shared.contracts.base import UploadRef


def upload_ids(command: BaseModel) -> list[tuple[str, str]]:
    """(upload id, JSON pointer of its field), each id once."""
    found: dict[str, str] = {}
    for name, at in _walk(command, ()):
        found.setdefault(name, at)
    return list(found.items())


def _walk(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        for name, marked in _fields(type(value)).items():
            item = getattr(value, name)
            alias = type(value).model_fields[name].alias or name
            if marked and isinstance(item, str) and item.startswith("upl_"):
                yield item, pointer((*path, alias))
            elif not isinstance(item, str):
                yield from _walk(item, (*path, alias))
    elif isinstance(value, Sequence) and value and isinstance(value[0], BaseModel) and any(_fields(type(value[0])).values()):
        for index, item in enumerate(value):  # a list of 100,000 recipients can hold none: it is not walked
            yield from _walk(item, (*path, index))


@cache
def _fields(model: type[BaseModel]) -> Mapping[str, bool]:
    """Of each field that can hold an upload, or a model that can: whether it is one itself."""
    marked: dict[str, bool] = {}
    for name, info in model.model_fields.items():
        if any(isinstance(item, UploadRef) for item in info.metadata) or _mentions(info.annotation):
            marked[name] = True
        elif _models(info.annotation):
            marked[name] = False
    return marked


def _mentions(annotation: Any) -> bool:
    metadata = getattr(annotation, "__metadata__", ())
    return any(isinstance(item, UploadRef) for item in metadata) or any(_mentions(arg) for arg in get_args(annotation))


def _models(annotation: Any) -> bool:
    return (isinstance(annotation, type) and issubclass(annotation, BaseModel)) or any(_models(arg) for arg in get_args(annotation))
