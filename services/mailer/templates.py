"""Templates: Jinja2 in its sandbox, strict about missing variables.

A template comes from a user, so it runs in `ImmutableSandboxedEnvironment` (no attributes that lead out, no mutation).
That sandbox limits neither time nor memory (`'a' * 10**9` took 25 s), so the operators that grow a value at a stroke are
bounded here and so is the output. A loop nested deeply enough still burns CPU until the job's time limit ends it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_OUTPUT = 5_000_000
MAX_GROWTH = 1_000_000
MAX_BITS = 4_096
MAX_WIDTH = 10_000


class TemplateInvalidError(ValueError):
    """The template does not compile; the message has the line."""


class RenderError(ValueError):
    """This recipient's values do not fit the template (mostly: a variable is missing)."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with a lid on what one expression can grow to."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse a product, power or %-format that would be larger than any mail."""
        if operator == "**" and isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > MAX_BITS:
            raise SecurityError("the power is too large")
        if operator == "%" and isinstance(left, str):
            raise SecurityError("write a filter instead of the % operator on a string")
        if operator == "*":
            for value, times in ((left, right), (right, left)):
                if isinstance(value, (str, list, tuple)) and isinstance(times, int) and len(value) * times > MAX_GROWTH:
                    raise SecurityError("the repetition is too long")
        return super().call_binop(context, operator, left, right)


def _center(value: object, width: int = 80) -> str:
    return str(value).center(min(width, MAX_WIDTH))


@lru_cache(maxsize=2)
def _environment(*, escape: bool) -> Sandbox:
    environment = Sandbox(undefined=StrictUndefined, autoescape=escape, keep_trailing_newline=True, cache_size=0)
    environment.filters["center"] = _center
    return environment


@lru_cache(maxsize=64)
def compile_template(source: str, *, escape: bool) -> Template:
    """Compile `source`; `escape` for HTML. Raises `TemplateInvalidError` with the line and Jinja's words."""
    try:
        return _environment(escape=escape).from_string(source)
    except TemplateSyntaxError as error:
        raise TemplateInvalidError(f"line {error.lineno}: {error.message}") from error
    except (TemplateError, RecursionError, SyntaxError) as error:
        raise TemplateInvalidError(f"the template cannot be compiled: {error}") from error


def renderer(source: str, *, escape: bool) -> Callable[[Mapping[str, Any]], str]:
    """A function from a recipient's values to the text. A source without Jinja marks is returned as it is."""
    if not any(mark in source for mark in ("{{", "{%", "{#")):
        return lambda _values: source
    template = compile_template(source, escape=escape)

    def render(values: Mapping[str, Any]) -> str:
        try:
            text = template.render(values)
        except TemplateError as error:
            raise RenderError(str(error)) from error
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
            raise RenderError(f"{type(error).__name__}: {error}") from error
        if len(text) > MAX_OUTPUT:
            raise RenderError(f"the text is longer than {MAX_OUTPUT:,} characters")
        return text

    return render


@dataclass(frozen=True, slots=True)
class Rendered:
    """One recipient's mail in words."""

    subject: str
    html: str | None
    text: str | None
    list_unsubscribe: str | None


class MailTemplate:
    """Subject, HTML, text and unsubscribe address of a mailing, compiled. Raises `TemplateInvalidError`."""

    def __init__(
        self,
        *,
        subject: str,
        html: str | None,
        text: str | None,
        list_unsubscribe: str | None,
        finish_text: Callable[[str], str] | None = None,
    ) -> None:
        """Compile each; only HTML is escaped. `finish_text` has the last word on the rendered text."""
        self._finish_text = finish_text
        self._subject = renderer(subject, escape=False)
        self._html = None if html is None else renderer(html, escape=True)
        self._text = None if text is None else renderer(text, escape=False)
        self._unsubscribe = None if list_unsubscribe is None else renderer(list_unsubscribe, escape=False)

    def render(self, values: Mapping[str, Any]) -> Rendered:
        """Fill in one recipient's values. Raises `RenderError` naming the part."""
        part = "subject"
        try:
            subject = self._subject(values)
            part = "html"
            html = self._html and self._html(values)
            part = "text"
            text = self._text and self._text(values)
            text = self._finish_text(text) if self._finish_text and text else text
            part = "list_unsubscribe"
            unsubscribe = self._unsubscribe and self._unsubscribe(values)
        except RenderError as error:
            raise RenderError(f"{part}: {error}") from error
        return Rendered(subject, html, text, unsubscribe)
