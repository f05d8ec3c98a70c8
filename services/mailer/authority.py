"""What the DNS says of a From domain: may we send for it (SPF, DKIM, DMARC), and is it there at all?

A DNS that does not answer is no failure: it is said, and nothing is found. Each question has two seconds, and after the first one
without an answer none is asked. The organizational domain, which relaxed alignment is about (RFC 7489, 3.1), is found by the tree
walk of DMARCbis (draft-ietf-dmarc-dmarcbis, 4.10), which needs no list of public suffixes.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Protocol

import dns.exception
import dns.resolver

from services.mailer.dkim import Key
from services.mailer.rules import PROVIDERS
from shared.contracts.mailer_preview import Finding

PATIENCE = 2.0
DEEPEST = 5
"""Labels of a name from which the walk goes up; longer ones are cut first (DMARCbis, 4.10)."""
RESERVED = ("example.com", "example.net", "example.org", "example", "test", "invalid", "localhost", "local", "internal", "lan")
"""Names that no public DNS knows (RFC 2606, RFC 6761, RFC 6762)."""


class SilentError(Exception):
    """The DNS did not answer."""


class Lookup(Protocol):
    """The DNS as this module needs it. Raises SilentError where nobody answers."""

    def txt(self, name: str) -> list[str]:
        """The TXT records; none where there are none."""

    def takes_mail(self, name: str) -> bool | None:
        """Is there an MX or an address? False: a null MX (RFC 7505); None: there is no such name."""


class Dns:
    """The system's resolver; answers are kept for as long as they live."""

    def __init__(self) -> None:
        """Raises SilentError where the system has none."""
        try:
            self._resolver = dns.resolver.Resolver()
        except dns.exception.DNSException as error:
            raise SilentError(str(error)) from error
        self._resolver.lifetime = PATIENCE
        self._resolver.cache = dns.resolver.LRUCache(1_000)

    def txt(self, name: str) -> list[str]:
        """The TXT records, each in one piece."""
        return [b"".join(record.strings).decode("utf-8", "replace") for record in self._ask(name, "TXT") or ()]

    def takes_mail(self, name: str) -> bool | None:
        """MX, else A or AAAA (RFC 5321, 5.1)."""
        exchanges = self._ask(name, "MX")
        if exchanges is None:
            if not self._ask("com.", "NS"):
                raise SilentError("this DNS knows no public names")
            return None
        if exchanges:
            return any(str(record.exchange) != "." for record in exchanges)
        return bool(self._ask(name, "A") or self._ask(name, "AAAA")) or None

    def _ask(self, name: str, kind: str) -> list[Any] | None:
        """None: there is no such name."""
        try:
            return list(self._resolver.resolve(name, kind, search=False))
        except dns.resolver.NXDOMAIN:
            return None
        except dns.resolver.NoAnswer:
            return []
        except dns.exception.DNSException as error:
            raise SilentError(f"{name} {kind}: {type(error).__name__}") from error


@cache
def system_dns() -> Dns:
    """This process's."""
    return Dns()


def is_reserved(domain: str) -> bool:
    """Is this a name that no public DNS knows?"""
    return any(domain == name or domain.endswith(f".{name}") for name in RESERVED)


def findings(domain: str, envelope_domain: str, keys: tuple[Key, ...], lookup: Lookup, *, bulk: bool) -> Iterator[Finding]:
    """All that is wrong, as it is found; raises SilentError in the middle where the DNS stops answering.

    `envelope_domain`: where bounces go, which SPF is about; `keys`: what mails are signed with.
    """
    there = lookup.takes_mail(domain)
    if there is None:
        yield Finding(level="error", rule="from-domain", detail=f"the From domain {domain} is not in the DNS: most servers refuse its mail")
        return
    if not there:
        yield Finding(
            level="warning", rule="from-domain", detail=f"{domain} takes no mail (a null MX): nobody can answer", of=["microsoft"]
        )
    yield from _spf(envelope_domain, lookup)
    broken = 0
    for key in keys:
        for found in _dkim(key, lookup):
            broken += 1
            yield found
    policies = _policies(domain, lookup)
    signs = len(keys) > broken
    same = organization(domain, lookup) == organization(envelope_domain, lookup)
    if not policies:
        if bulk:
            yield Finding(
                level="warning",
                rule="dmarc",
                detail=f"there is no DMARC policy at _dmarc.{domain}; at least v=DMARC1; p=none",
                of=PROVIDERS,
            )
    elif not signs and not same:
        strict = _tag(policies[0], "p") in {"reject", "quarantine"}
        detail = f"neither a DKIM signature of ours nor the envelope's domain {envelope_domain} is aligned with {domain}"
        detail += f", whose DMARC policy is p={_tag(policies[0], 'p')}; the relay has to sign" if strict else "; the relay has to sign"
        yield Finding(level="error" if strict else "warning", rule="alignment", detail=detail, of=PROVIDERS)


def _spf(domain: str, lookup: Lookup) -> Iterator[Finding]:
    records = [text for text in lookup.txt(domain) if text.lower().split(" ")[0] == "v=spf1"]
    if not records:
        yield Finding(level="warning", rule="spf", detail=f"{domain} has no SPF record, which says who may send for it", of=PROVIDERS)
    elif len(records) > 1:
        yield Finding(
            level="error", rule="spf", detail=f"{domain} has {len(records)} SPF records; with more than one none counts", of=["RFC 7208"]
        )
    elif {"+all", "all"} & set(records[0].lower().split()):
        yield Finding(level="warning", rule="spf", detail=f"the SPF record of {domain} lets anybody send for it (+all)", of=PROVIDERS)


def _dkim(key: Key, lookup: Lookup) -> Iterator[Finding]:
    records = ["".join(text.split()) for text in lookup.txt(key.name)]
    if not records:
        yield Finding(
            level="error",
            rule="dkim",
            detail=f"mails are signed with a key that the DNS does not have: {key.name} is missing",
            of=PROVIDERS,
        )
    elif not any(_tag(record, "p") == _tag(key.record, "p") for record in records):
        yield Finding(level="error", rule="dkim", detail=f"the DNS has another key at {key.name} than mails are signed with", of=PROVIDERS)


def _tag(record: str, name: str) -> str:
    """The value of a tag, without its blanks."""
    tags = (part.partition("=") for part in record.split(";"))
    return next(("".join(value.split()) for tag, _, value in tags if tag.strip().lower() == name), "")


def _policies(domain: str, lookup: Lookup) -> list[str]:
    """The DMARC record that counts for this domain: its own, else its organization's."""
    return _dmarc(domain, lookup) or _dmarc(organization(domain, lookup), lookup)


def _dmarc(domain: str, lookup: Lookup) -> list[str]:
    return [text for text in lookup.txt(f"_dmarc.{domain}") if text.replace(" ", "").lower().startswith("v=dmarc1")]


def organization(domain: str, lookup: Lookup) -> str:
    """The highest domain above this one, or it itself, that has a DMARC record; without any, the domain."""
    labels = domain.split(".")
    found = domain
    for start in range(max(0, len(labels) - DEEPEST), len(labels) - 1):
        name = ".".join(labels[start:])
        for record in _dmarc(name, lookup):
            if _tag(record, "psd") == "n":
                return name
            if _tag(record, "psd") != "y":
                found = name
    return found
