"""`python -m deploy.settings_page` writes docs/settings.md: every environment variable, from the settings classes themselves.

A field's docstring is its explanation; Python keeps none for fields, so they are read from the class's source.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from deploy.embedded.settings import EmbeddedSettings
from gateway.settings import GatewaySettings
from services.avatar.settings import AvatarSettings
from services.mailer.settings import MailerSettings
from services.transcoder.settings import TranscoderSettings
from shared.settings import PlatformSettings, ServiceSettings
from shared.webhooks.settings import WebhookSettings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
INTRODUCTION = """\
# Settings

All by environment, all with a default; an empty variable is one that is not set. `make settings` writes this page from the settings
classes; do not edit it.

A service's own variable goes before the platform's: `AVATAR_REDIS_URL` before `COUNTERFOIL_REDIS_URL`, and so for every one of the
"every service" table. How Celery treats a job (retries, time limits, pool) is no setting: each service's `policy.py` says it.
"""
SECTIONS: Sequence[tuple[str, type[BaseSettings], str]] = (
    ("All rooms", PlatformSettings, ""),
    ("The gateway", GatewaySettings, ""),
    ("Webhooks", WebhookSettings, ""),
    ("Every service", ServiceSettings, "AVATAR_"),
    ("The avatar service", AvatarSettings, ""),
    ("The mailer", MailerSettings, ""),
    ("The transcoder", TranscoderSettings, ""),
    ("The embedded home", EmbeddedSettings, ""),
)
"""Title, class, and the prefix to show where the class has none of its own."""
ELSEWHERE: Mapping[str, str] = {
    "COUNTERFOIL_LOG_FORMAT": "`console` or `json`; default: `console` on a terminal, else `json`",
    "COUNTERFOIL_URL": "the `counterfoil` command: the gateway; default: this machine's",
    "COUNTERFOIL_API_KEY": "the `counterfoil` command: the API key; default: the file `api-key` in `COUNTERFOIL_HOME`",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "where spans go by OTLP over HTTP, besides the home's files; OpenTelemetry's other variables work too",
    "OTEL_TRACES_EXPORTER": "`none`: no spans are kept or sent",
}


def explanations(model: type[BaseModel]) -> dict[str, str]:
    """Field → the string literal below it, on one line, of the class itself (not of its bases)."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    found: dict[str, str] = {}
    name = ""
    for node in body.body if isinstance(body, ast.ClassDef) else ():
        match node:
            case ast.AnnAssign(target=ast.Name(id=field)):
                name = field
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                found[name], name = " ".join(text.split()), ""
            case _:
                name = ""
    return found


def variable(name: str, field: FieldInfo, prefix: str) -> str:
    """The environment variable that sets a field."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        alias = str(alias.choices[0])
    return alias if isinstance(alias, str) else f"{prefix}{name}".upper()


def rows(model: type[BaseSettings], prefix: str = "") -> Iterator[str]:
    """A table row for each field that the class adds to or changes in its bases."""
    told = explanations(model)
    for name in inspect.get_annotations(model):
        if (field := model.model_fields.get(name)) is not None:
            shown = variable(name, field, prefix or str(model.model_config.get("env_prefix") or ""))
            yield f"| `{shown}` | {_default(field.default)} | {told.get(name, '')} |"


def _default(value: object) -> str:
    """As one would write it into the environment."""
    if value in ("", Path()):
        return ""
    return f"`{json.dumps(value)}`" if isinstance(value, bool | tuple) else f"`{value}`"


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for title, model, prefix in SECTIONS:
        parts.append(f"## {title}\n\n| variable | default | |\n|---|---|---|\n" + "\n".join(rows(model, prefix)) + "\n")
    others = "\n".join(f"| `{name}` | {text} |" for name, text in ELSEWHERE.items())
    parts.append(f"## Read where they are used\n\n| variable | |\n|---|---|\n{others}\n")
    return "\n".join(parts)


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
