"""Every source says which fields it cannot do without, and refuses a file that lacks one."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from datetime import date
from fnmatch import fnmatch
from pathlib import Path

import pandas as pd
import pytest
from tiny_records import TREE, delimited, spreadsheet, zipped

from shortcast.features.sources import SourceError, registry

_PART_B = ("Tot_Clms", "Tot_Spndng", "Tot_Benes", "Avg_Spndng_Per_Bene", "Tot_Dsg_Unts")
_PART_D = (
    *("Tot_Spndng", "Tot_Dsg_Unts", "Tot_Clms", "Tot_Benes", "Avg_Spnd_Per_Dsg_Unt_Wghtd"),
    *("Avg_Spnd_Per_Clm", "Avg_Spnd_Per_Bene", "Outlier_Flag"),
)

#: What the publishers hand out today, where the tiny records are in an earlier layout.
TODAY: dict[str, bytes] = {
    "cms_asp/2026-10-01/crosswalk.csv": (
        b"October 2026 ASP NDC-HCPCS Crosswalk,,,,,,,,,\n"
        b"_2026_CODE,Short Description,LABELER NAME,NDC,Drug Name,HCPCS dosage,PKG SIZE,PKG QTY,"
        b"BILLUNITS,BILLUNITSPKG\n"
        b"J9901,Velmoril,Velmora,99901-0001-01,Velmor,5 MG,1,25,4,100\n"
    ),
    "partb_spending/2026-01-31/part_b_spending.csv": delimited(
        ("HCPCS_Cd", "HCPCS_Desc", *(f"{n}_2023" for n in (*_PART_B, "Avg_Spndng_Per_Dsg_Unt"))),
        [("J9901", "Injection, velmoril", "10", "1000.5", "8", "125", "200", "5")],
    ),
    "partd_spending/2026-01-31/part_d_spending.csv": delimited(
        ("Brnd_Name", "Gnrc_Name", "Tot_Mftr", "Mftr_Name", *(f"{n}_2023" for n in _PART_D)),
        [("Ostrun", "Ostrunide", "1", "Ostrava", *("1", "2", "3", "4", "5", "6", "7", "0"))],
    ),
    "uk_price_concessions/2026-10-31/price_concession_archive.xlsx": spreadsheet(
        [("Month", "Drug", "Price"), ("2026-10", "Ostrunide 5mg tablets", "3.99")]
    ),
}
#: Every file that a source declares required fields for.
FILES = [(name, file) for name, source in registry().items() for file in source.required]


def has(raw: bytes, field: str) -> re.Match[bytes] | None:
    """Find a header in a table, however it is spelled; a year may stand behind it."""
    letters = re.sub(r"[^a-z0-9]", "", field.lower())
    spelled = r"[^a-z0-9,\t~<>]?".join(letters).encode()
    # Round brackets may close a header: "Strength(s)".
    pattern = rb'(?:^|(?<=[,\t~">\n\xa0]))_?(' + spelled + rb'\)?)(?=(_\d{4})?[,\t~"<\r\n])'
    return re.search(pattern, raw, re.IGNORECASE)


def renamed(name: str, raw: bytes, field: str, fields: tuple[str, ...], member: str) -> bytes:
    """The file with another name for a field."""
    if name.endswith(".parquet"):
        out = io.BytesIO()
        pd.read_parquet(io.BytesIO(raw)).rename(columns={field: "RENAMED"}).to_parquet(out)
        return out.getvalue()
    if name.endswith(".gz"):
        return gzip.compress(renamed(name[:-3], gzip.decompress(raw), field, fields, member))
    if name.endswith((".zip", ".xlsx")):
        with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
            members = {inner: bundle.read(inner) for inner in bundle.namelist()}
        (inner,) = (
            n
            for n, content in members.items()
            if n.lower() == member.lower()
            or (member not in members and all(has(content, field) for field in fields))
        )
        return zipped(members | {inner: renamed(inner, members[inner], field, fields, "")})
    found = has(raw, field)
    assert found, f"{name} has no {field}"
    if name.endswith(".json"):
        return raw.replace(b'"%b"' % found[1], b'"RENAMED"')
    return raw[: found.start(1)] + b"RENAMED" + raw[found.end(1) :]


def file_of(source: str, file: str, fields: tuple[str, ...]) -> str:
    """The newest made-up file of a source that is to have these fields."""
    names = sorted(name for name in {**TREE, **TODAY} if name.startswith(f"{source}/"))
    names = [n for n in names if not file.startswith("*") or fnmatch(n, file)]
    in_clear = [n for n in names if n.endswith((".csv", ".txt"))]
    fitting = [n for n in in_clear if all(has({**TREE, **TODAY}[n], field) for field in fields)]
    return (fitting or names)[-1]


def test_every_source_declares_what_it_requires() -> None:
    lacking = [n for n, s in registry().items() if not s.required or not all(s.required.values())]
    assert lacking == []


@pytest.mark.parametrize(("source", "file"), FILES, ids=[" ".join(pair) for pair in FILES])
def test_a_file_without_a_required_field_is_refused_by_its_name(
    source: str, file: str, tmp_path: Path
) -> None:
    fields = registry()[source].required[file]
    name = file_of(source, file, fields)
    raw = {**TREE, **TODAY}[name]
    _, day, bare = name.split("/")
    path = tmp_path / bare
    path.write_bytes(raw)
    assert registry()[source].read([path], date.fromisoformat(day)).tables, "as it is, it is read"
    for field in fields:
        path.write_bytes(renamed(bare, raw, field, fields, file))
        with pytest.raises(SourceError) as refusal:
            registry()[source].read([path], date.fromisoformat(day))
        # Behind it the message tells the header that the file has.
        said = str(refusal.value).partition("; its header is")[0]
        assert field in said, f"{field}: {said}"
