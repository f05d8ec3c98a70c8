"""Templates: Jinja's language as minijinja speaks it, strict about missing variables, and bounded in every direction.

A template comes from a user. minijinja knows no attribute that leads out of the values, and its fuel ends a loop or a
repetition that would burn CPU (Jinja2's sandbox has no such limit: `'a' * 10**9` took it 25 s, and it is eight times as slow).
What fuel does not see is a string that doubles itself thirty times: `bound_memory` ends the process that tries, and the crash
budget ends the mailing.
"""

import re
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain, zip_longest
from typing import Any, Generic, TypeVar

from minijinja import Environment, TemplateError

from services.mailer.names import speller
from services.mailer.pieces import LONGEST_VALUE, Body, Form, taken_apart
from services.mailer.transfer import MARK

MAX_OUTPUT = 5_000_000
MAX_WIDTH = 10_000
FUEL = 2_000_000
"""Steps of minijinja's machine for one text: some 50 ms, a thousand times what a long newsletter takes."""
MEMORY = 3 << 30
JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
STRINGS = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", re.DOTALL)
NAMES = re.compile(r"(?<!\|)\|\s*(?P<filter>[A-Za-z_]\w*)|\bis\s+(?:not\s+)?(?P<test>[A-Za-z_]\w*)")
VARIABLE = re.compile(r"\{\{(?![-+]).*?(?<![-+])\}\}", re.DOTALL)
CAPTURES = re.compile(r"\{%[-+]?\s*(?:raw|macro|call|filter|block|set\s+\w+\s*(?:\||[-+]?%\}))")


class TemplateInvalidError(ValueError):
    """The template does not compile; the message has the line."""


class RenderError(ValueError):
    """This recipient's values do not fit the template (mostly: a variable is missing)."""


def bound_memory() -> None:
    """For a process that renders: what it may ask the system for. Raises nothing: a limit that is lower already stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft == resource.RLIM_INFINITY or soft > MEMORY:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, hard))


def _center(value: object, width: int = 80) -> str:
    return str(value).center(min(width, MAX_WIDTH))


def _wordcount(value: object) -> int:
    return len(str(value).split())


def environment(*, escape: bool) -> Environment:
    """An environment of its own for a template: its globals are the values and minijinja's pure functions."""
    made = Environment(undefined_behavior="strict", keep_trailing_newline=True, fuel=FUEL)
    made.auto_escape_callback = lambda _name: escape
    made.remove_global("debug")
    made.add_filter("center", _center)
    made.add_filter("wordcount", _wordcount)
    return made


@cache
def _known(kind: str, name: str) -> bool:
    """Is there a filter or a test of that name?"""
    return bool(environment(escape=False).eval_expr(f"name is {kind}", name=name))


def _refuse_unknown(source: str) -> None:
    """Filters and tests are looked up when a text is rendered, which is too late: look for them now."""
    for tag in JINJA.finditer(source):
        for found in NAMES.finditer(STRINGS.sub("''", tag.group())):
            kind = found.lastgroup or ""
            if not _known(kind, found[kind]):
                line = source.count("\n", 0, tag.start()) + 1
                raise TemplateInvalidError(f"line {line}: there is no {kind} named {found[kind]!r}")


@lru_cache(maxsize=64)
def compile_template(source: str, *, escape: bool) -> Environment:
    """Compile `source` as the environment's template `mail`; `escape` for HTML. Raises `TemplateInvalidError` with the line."""
    made = environment(escape=escape)
    try:
        made.add_template("mail", source)
    except TemplateError as error:
        raise TemplateInvalidError(_words(error)) from error
    _refuse_unknown(source)
    return made


def asked_for(source: str) -> set[str]:
    """The variables that a template reads, minijinja's own functions not among them. The template compiles."""
    made = compile_template(source, escape=False)
    return {name for name in made.undeclared_variables_in_template("mail") if name not in made.globals}


def _words(error: TemplateError) -> str:
    return f"line {error.line}: {error.detail or str(error).partition(chr(10))[0]}"


def renderer(source: str, *, escape: bool) -> Callable[[Mapping[str, Any]], str]:
    """A function from a recipient's values to the text. A source without Jinja marks is returned as it is."""
    if not any(mark in source for mark in ("{{", "{%", "{#")):
        return lambda _values: source
    template = compile_template(source, escape=escape)

    def render(values: Mapping[str, Any]) -> str:
        try:
            text = template.render_template("mail", **values)
        except TemplateError as error:
            raise RenderError(_words(error)) from error
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
            raise RenderError(f"{type(error).__name__}: {error}") from error
        if len(text) > MAX_OUTPUT:
            raise RenderError(f"the text is longer than {MAX_OUTPUT:,} characters")
        # minijinja escapes the slash, too: harmless in HTML, but a link should look like one to filters that do not decode.
        return text.replace("&#x2f;", "/") if escape else text

    return render


def marked(source: str) -> str:
    """The template with a `MARK` around each variable, unless what it renders may be looked at before it is output."""
    return source if CAPTURES.search(source) else VARIABLE.sub(lambda found: f"{MARK}{found.group()}{MARK}", source)


def form_of(source: str, *, escape: bool, finish: Callable[[str], str] | None = None) -> Form | None:
    """The template in pieces; None where only rendering all of it says what it means, or `finish` would change its own words."""
    apart = taken_apart(source)
    if apart is None or (finish is not None and finish(source) != source):
        return None
    words, expressions, places = apart
    try:
        for expression in expressions:  # alone: a string may hold what looks like the end of one and the beginning of another
            compile_template(f"{{{{ {expression} }}}}", escape=escape)
        render = renderer(MARK.join(f"{{{{ {each} }}}}" for each in expressions), escape=escape)
        return Form(words, places, render, speller(expressions, escape=escape), tidy=finish is not None)
    except ValueError:
        return None


B_co = TypeVar("B_co", bound=Body, covariant=True)


@dataclass(frozen=True, slots=True)
class Rendered(Generic[B_co]):
    """One recipient's mail in words: bodies as text, or in pieces."""

    subject: str
    html: B_co | None
    """As text: with a `MARK` at both ends of what came from a variable."""
    text: B_co | None
    list_unsubscribe: str | None


Render = Callable[[Mapping[str, Any]], str]


def _quick(form: Form | None, whole: Render) -> Callable[[Mapping[str, Any]], Body]:
    """In pieces where that works."""
    if form is None:
        return whole
    return lambda values: form.fill(values) or whole(values)


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
        self._subject = _line(subject)
        self._html = None if html is None else renderer(marked(html), escape=True)
        self._text = None if text is None else _finished(renderer(text, escape=False), finish_text)
        self._unsubscribe = None if list_unsubscribe is None else _line(list_unsubscribe)
        self._quick_html = self._html and _quick(form_of(html or "", escape=True), self._html)
        self._quick_text = self._text and _quick(form_of(text or "", escape=False, finish=finish_text), self._text)

    def render(self, values: Mapping[str, Any]) -> Rendered[str]:
        """Fill in one recipient's values. Raises `RenderError` naming the part."""
        return self._rendered(values, self._html, self._text)

    def fill(self, values: Mapping[str, Any]) -> Rendered[Body]:
        """The same, in a form that is quicker to encode."""
        return self._rendered(values, self._quick_html, self._quick_text)

    def _rendered(
        self, values: Mapping[str, Any], html: Callable[[Mapping[str, Any]], B_co] | None, text: Callable[[Mapping[str, Any]], B_co] | None
    ) -> Rendered[B_co]:
        part = "subject"
        try:
            subject = self._subject(values)
            part = "html"
            html_body = html and html(values)
            part = "text"
            text_body = text and text(values)
            part = "list_unsubscribe"
            unsubscribe = self._unsubscribe and self._unsubscribe(values)
        except RenderError as error:
            raise RenderError(f"{part}: {error}") from error
        return Rendered(subject, html_body, text_body, unsubscribe)


def _line(source: str) -> Render:
    """A header's template: the engine is asked only where it has more than names."""
    render, apart = renderer(source, escape=False), taken_apart(source)
    spell = speller(apart[1], escape=False) if apart and "\r" not in source else None
    if apart is None or spell is None:
        return render
    words, _, places = apart

    def line(values: Mapping[str, Any]) -> str:
        found = spell(values)
        if found is None or sum(map(len, found)) > LONGEST_VALUE:
            return render(values)
        return "".join(chain.from_iterable(zip_longest(words, [found[index] for index in places], fillvalue="")))

    return line


def _finished(render: Render, finish: Callable[[str], str] | None) -> Render:
    def finished(values: Mapping[str, Any]) -> str:
        text = render(values)
        return finish(text) if finish and text else text

    return finished
