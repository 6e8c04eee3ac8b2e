"""The page of sources is made from their descriptions, and is current."""

from __future__ import annotations

from pathlib import Path

import pytest

from shortcast.features.source_page import in_words, page
from shortcast.features.sources import Source, registry

DOCS = Path(__file__).resolve().parents[2] / "docs" / "data-sources.md"


def test_the_documentation_is_current() -> None:
    assert DOCS.read_text(encoding="utf-8") == page(), (
        "make it again: python -m shortcast.features.source_page > docs/data-sources.md"
    )


@pytest.mark.parametrize("source", registry().values(), ids=registry())
def test_a_source_that_is_not_fetched_says_why(source: Source) -> None:
    if source.fetching is None:
        assert in_words(source) == ["It is not fetched, only imported."]
        assert any("cannot be fetched" in caveat for caveat in source.caveats)
    else:
        assert source.fetching.way.address in " ".join(in_words(source))
