"""`make contracts`: write docs/asyncapi.json, and the schemas of the version in pyproject.toml where that has none yet."""

from deploy.contracts import asyncapi, release
from shared.contracts.registry import contracts


def main() -> None:
    """Write both; a release that is written is left as it is."""
    asyncapi.FILE.write_text(release.text(asyncapi.document(contracts(), release.version())))
    print(f"Wrote {asyncapi.FILE.relative_to(release.ROOT)}")
    file = release.RELEASED / f"{release.version()}.json"
    if not file.exists():
        file.write_text(release.text(release.document(contracts())))
        print(f"Wrote {file.relative_to(release.ROOT)}: the release that later changes are held to")


if __name__ == "__main__":
    main()
