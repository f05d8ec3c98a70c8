"""The mails, written once."""

import pytest

from tests.receivers.letters import Post, post


@pytest.fixture(scope="session")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Post:
    """A mail of each make, signed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COUNTERFOIL_PUBLIC_URL", "https://mail.example.com")
        return post(tmp_path_factory.mktemp("letters"))
