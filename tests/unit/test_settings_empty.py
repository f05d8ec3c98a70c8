"""A variable that is set to nothing: Compose passes one for everything that its user left out."""

import pytest
from pydantic_settings import BaseSettings

from deploy.settings_page import SECTIONS, variable


@pytest.mark.parametrize(("title", "model", "prefix"), SECTIONS, ids=[title for title, _, _ in SECTIONS])
def test_every_empty_variable_is_as_if_it_were_not_set(
    title: str, model: type[BaseSettings], prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths, numbers and switches too: none becomes the folder one is in, and none is refused."""
    del title
    names = [variable(name, field, prefix or str(model.model_config.get("env_prefix") or "")) for name, field in model.model_fields.items()]
    for name in names:
        monkeypatch.delenv(name, raising=False)
    unset = model()
    for name in names:
        monkeypatch.setenv(name, "")

    assert unset == model()
