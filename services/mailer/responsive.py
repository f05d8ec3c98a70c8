"""MJML (https://documentation.mjml.io), the language for mails that fit every screen, compiled once per mailing.

By MRML, its Rust implementation: no Node, no network. Template marks travel as words; statements between sections belong into `<mj-raw>`,
as everywhere with MJML. No file is included, and no font is loaded from elsewhere unless the source names one with `<mj-font>`.
"""

import mjml

from services.mailer.marks import Marks, MarkupError, refuse_deep


def from_mjml(source: str) -> str:
    """The HTML template. Raises `MarkupError` where it is no MJML, or a template mark would be lost or moved."""
    marks = Marks(source)
    hidden = marks.hide(source)
    refuse_deep(hidden)
    try:
        done = mjml.mjml2html(hidden, fonts={})
    except ValueError as error:
        raise MarkupError(f"it is not MJML: {error}") from error
    try:
        return marks.show(done)
    except MarkupError as error:
        raise MarkupError(f"{error}: put template statements between sections into <mj-raw>…</mj-raw>") from error
