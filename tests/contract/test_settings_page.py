"""docs/settings.md, held to the settings classes."""

from deploy import settings_page


def test_the_page_is_what_the_classes_say() -> None:
    """Where this fails, run `make settings`."""
    assert settings_page.page() == settings_page.PAGE.read_text(encoding="utf-8")


def test_every_setting_is_explained() -> None:
    """A variable without a sentence is one that nobody dares to turn: give the field a docstring."""
    silent = [row for _, model, prefix in settings_page.SECTIONS for row in settings_page.rows(model, prefix) if row.endswith("|  |")]

    assert silent == []
