"""Invented recipients for the demo's newsletter: the same ones every time, at domains that are nobody's (RFC 2606)."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

FIRST = (
    "Ada",
    "Bjørn",
    "Chloé",
    "Dmitri",
    "Eun-ji",
    "Fatima",
    "Gustavo",
    "Hanna",
    "Ifeoma",
    "Jan",
    "Kavya",
    "Léo",
    "Mei",
    "Nils",
    "Olga",
    "Pablo",
)
LAST = (
    "Almeida",
    "Berg",
    "Chen",
    "Dubois",
    "Eriksen",
    "Ferrari",
    "García",
    "Haddad",
    "Ivanova",
    "Jensen",
    "Kowalski",
    "Larsen",
    "Müller",
    "Nguyen",
)
CITIES = ("Bergen", "Lisbon", "Gdańsk", "Galway", "Marseille", "Porto", "Tromsø", "Valencia", "Århus")
BOATS = ("Sea Thrift", "Grey Goose", "Anna Lovisa", "Kittiwake", "Second Thoughts")
DOMAINS = ("example.com", "example.org", "example.net")


def people() -> Iterator[dict[str, str]]:
    """Recipients without end; every address once."""
    number = 0
    while True:
        number += 1
        first, last = FIRST[number % len(FIRST)], LAST[number % len(LAST)]
        yield {
            "email": f"reader{number:05d}@{DOMAINS[number % len(DOMAINS)]}",
            "name": f"{first} {last}",
            "first_name": first,
            "city": CITIES[number % len(CITIES)],
            "boat": BOATS[number % len(BOATS)],
            "trips": str(1 + number % 23),
            "member": "yes" if number % 3 else "no",
        }


def write(path: Path, count: int) -> Path:
    """Write `count` recipients as CSV with a header row."""
    rows = list(islice(people(), count))
    with path.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.DictWriter(sink, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
