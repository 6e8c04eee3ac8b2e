"""Prices: the retail survey (NADAC), Medicare's payment limits, and its spending."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

from shortcast.features.simulated.world import World
from shortcast.features.simulated.writers._dirt import dice, how_many, some
from shortcast.features.simulated.writers._files import (
    as_days,
    bare_csv,
    csv_lines,
    day_number,
    delimited,
    place,
    write_gzip,
    written,
)
from shortcast.features.simulated.writers._words import Words, last_day

#: Products of a drug that the retail survey prices, at most.
_MOST_PRICED = 2
#: Prices carried over from the month before.
_CARRIED = 0.06
_DIGITS = np.array(list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"), dtype=object)
_NADAC_COLUMNS = (
    "NDC Description", "NDC", "NADAC Per Unit", "Effective Date", "Pricing Unit",
    "Pharmacy Type Indicator", "OTC", "Explanation Code", "Classification for Rate Setting",
    "Corresponding Generic Drug NADAC Per Unit", "Corresponding Generic Drug Effective Date",
    "As of Date",
)  # fmt: skip
#: Years up to which the header was written so; later with spaces.
_LOWER_UNTIL, _TITLE_UNTIL = 2021, 2022
_ASP_HEADER = (
    "HCPCS Code,Short Description,HCPCS Code Dosage,Payment Limit,Co-insurance Percentage,"
    "Vaccine AWP%,Vaccine Limit,Blood AWP%,Blood limit,Clotting Factor,Notes"
)
_CROSSWALK_HEADER = (
    "ndc11,hcpcs_code,hcpcs_description,drug_name,manufacturer,hcpcs_dosage,pkg_size,pkg_qty,"
    "bill_units_per_item,bill_units_per_pkg,has_multiple_hcpcs,all_hcpcs_codes"
)
_PARTB_YEARS, _PARTD_YEARS = 5, 2
#: Part D pays since then.
_PARTD_FROM = 2006
_MOST_LABELERS = 3


def write_nadac(world: World, root: Path, words: Words) -> None:
    """Write the retail survey, one file a year with the first weekly prices of each month.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    products, drugs = world.catalogue.products, world.catalogue.drugs
    drug = products["drug"].to_numpy()
    described = (
        words.name.str.upper().iloc[drug].reset_index(drop=True)
        + " " + products["strength"].str.upper()
        + " " + drugs["form_words"].str.upper().iloc[drug].reset_index(drop=True)
    )  # fmt: skip
    ndc = _eleven(products["package_ndc"])
    unit = drugs["unit"].iloc[drug].reset_index(drop=True)
    kind = pd.Series(np.where(products["brand"] != "", "B", "G"), dtype="str")
    first_month = world.price_months[0].astype("datetime64[M]")
    for year in range(world.starts_on.year - 1, world.ends_on.year):
        day = date(year, 12, 31)
        own = dice(world, "nadac", day)
        prices = world.survey_prices(year)
        if prices.empty:
            continue
        month = prices["event_date"].to_numpy("datetime64[M]") - first_month
        of_drug = pd.Series(month.astype(np.int64) * len(drugs) + drug[prices["product"]])
        priced = (of_drug.groupby(of_drug).cumcount() < _MOST_PRICED).to_numpy()
        prices, month = prices[priced].reset_index(drop=True), month[priced].astype(np.int64)
        product = prices["product"].to_numpy()
        # Where no pharmacy answered, the price and day of the month before are carried over.
        carried = some(own, len(prices), _CARRIED) & (month > 0)
        before = np.exp(world.log_price[np.maximum(month - 1, 0), drug[product]])
        before = before * products["price_factor"].to_numpy()[product]
        price = np.where(carried, before, prices["price_usd_per_unit"])
        effective = prices["event_date"].where(
            ~carried, prices["event_date"] - pd.DateOffset(months=1)
        )
        frame = pd.DataFrame(
            {
                "NDC Description": described.iloc[product].to_numpy(),
                "NDC": ndc.iloc[product].to_numpy(),
                "NADAC Per Unit": pd.Series(np.maximum(price, 1e-5)).round(5).astype("str"),
                "Effective Date": written(effective, "padded"),
                "Pricing Unit": unit.iloc[product].to_numpy(),
                "Pharmacy Type Indicator": "C/I",
                "OTC": "N",
                "Explanation Code": np.where(carried, "2", "1"),
                "Classification for Rate Setting": kind.iloc[product].to_numpy(),
                "Corresponding Generic Drug NADAC Per Unit": "",
                "Corresponding Generic Drug Effective Date": "",
                "As of Date": written(prices["published_at"], "padded"),
            }
        )
        broken = frame.iloc[own.integers(len(frame), size=how_many(own, len(frame), 0.0003))]
        # A spreadsheet cut leading digits, or the price is missing.
        cut = own.random(len(broken)) < 0.5
        broken = broken.assign(
            **{
                "NDC": broken["NDC"].where(~cut, broken["NDC"].str[2:]),
                "NADAC Per Unit": broken["NADAC Per Unit"].where(cut, "0"),
            }
        )
        frame = pd.concat([broken, frame], ignore_index=True)
        frame.columns = _header_of(year)
        write_gzip(place(root, "nadac", day, "nadac.csv.gz"), bare_csv(frame))


def _header_of(year: int) -> list[str]:
    if year > _TITLE_UNTIL:
        return list(_NADAC_COLUMNS)
    names = [name.replace(" ", "_") for name in _NADAC_COLUMNS]
    return names if year > _LOWER_UNTIL else [name.lower() for name in names]


def write_asp(world: World, root: Path, words: Words) -> None:
    """Write Medicare's payment limits: each October the year's four quarters, and the crosswalk.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    catalogue = world.catalogue
    limits = world.payment_limits()
    injected = np.flatnonzero((catalogue.drugs["form_group"] == "injection").to_numpy())
    code = _codes(len(catalogue.drugs), injected)
    own = catalogue.products[~catalogue.products["is_repackaged"]]
    own = own[(own["product_no"] == "001") & own["drug"].isin(injected)]
    firm = catalogue.firms["full_name"].iloc[own["firm"]].to_numpy()
    crosswalk = pd.DataFrame(
        {
            "ndc11": _eleven(own["package_ndc"]),
            "hcpcs_code": code.iloc[own["drug"]].to_numpy(),
            "hcpcs_description": "Inj, " + words.name.iloc[own["drug"]].str.lower().to_numpy(),
            "drug_name": words.name.iloc[own["drug"]].to_numpy(),
            "manufacturer": firm,
            "hcpcs_dosage": "1 ML",
            "pkg_size": "10.0",
            "pkg_qty": "1",
            "bill_units_per_item": "10.0",
            "bill_units_per_pkg": "10.0",
            "has_multiple_hcpcs": "False",
            "all_hcpcs_codes": "",
        }
    ).astype("str")
    rows = np.array(csv_lines(crosswalk), dtype=object)
    since, until = as_days(own["start_marketing"]), as_days(own["end_marketing"])
    short = words.name.str.lower().str[:22]
    for year in range(world.starts_on.year, world.ends_on.year):
        day = date(year, 10, 1)
        for quarter in range(4):
            first = date(year, 3 * quarter + 1, 1)
            last = date(year + quarter // 3, (3 * quarter + 3) % 12 + 1, 1) - timedelta(days=1)
            of = limits[limits["event_date"] == pd.Timestamp(first)]
            if of.empty:
                continue
            frame = pd.DataFrame(
                {
                    "code": code.iloc[of["drug"]].to_numpy(),
                    "short": "Inj, " + short.iloc[of["drug"]].to_numpy(),
                    "dosage": "1 ML",
                    "limit": of["limit_usd_per_unit"].round(3).astype("str").to_numpy(),
                    "share": "20.000",
                    **{f"blank_{n}": "" for n in range(6)},
                }
            ).astype("str")
            lines = csv_lines(frame)
            rng = dice(world, "cms_asp", first)
            for at in rng.integers(len(frame), size=how_many(rng, len(frame))):
                lines.insert(0, csv_lines(frame.iloc[[at]].assign(code="Z-1"))[0])
            preamble = (
                "SIMULATED payment allowance limits for Medicare Part B drugs,,,,,,,,,,\r\n"
                f'"Effective {_long(first)} through {_long(last)}",,,,,,,,,,\r\n,,,,,,,,,,\r\n'
            )
            name = f"{first:%B}-{year}-asp-pricing-file.csv".lower()
            path = place(root, "cms_asp", day, name)
            path.write_bytes((preamble + delimited(_ASP_HEADER, lines)).encode())
        today = day_number(day)
        shown = rows[(since <= today) & (today < until)]
        if len(shown):
            text = delimited(_CROSSWALK_HEADER, list(shown))
            name = f"october-{year}-asp-ndc-hcpcs-crosswalk.csv"
            place(root, "cms_asp", day, name).write_bytes(text.encode())


def _long(day: date) -> str:
    return f"{day:%B} {day.day}, {day.year}"


def _eleven(ndc: pd.Series) -> pd.Series:
    """Codes as the CMS writes them: 5-4-2 without hyphens."""
    parts = ndc.str.split("-", expand=True)
    return parts[0].str.zfill(5) + parts[1].str.zfill(4) + parts[2].str.zfill(2)


def _codes(drugs: int, injected: np.ndarray) -> pd.Series:
    """Billing codes by drug: Z and four digits, letters included; no real code begins so."""
    number = np.zeros(drugs, dtype=np.int64)
    number[injected] = np.arange(len(injected))
    code = pd.Series("Z", index=range(drugs), dtype="str")
    for place_of in (3, 2, 1, 0):
        code = code + pd.Series(_DIGITS[number // 36**place_of % 36], dtype="str")
    return code


def write_partb(world: World, root: Path, words: Words) -> None:
    """Write Medicare Part B spending: each release covers five years.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    spending = world.yearly_spending()
    spending = spending[spending["part"] == "B"]
    injected = np.flatnonzero((world.catalogue.drugs["form_group"] == "injection").to_numpy())
    code = _codes(len(world.catalogue.drugs), injected)
    dosage = dice(world, "partb").integers(1, 6, len(code))
    described = "Injection, " + words.name.str.lower() + ", " + pd.Series(dosage, dtype="str")
    described = described + " mg"
    for day, year in _releases(world, spending):
        rows = spending[spending["year"].between(year - _PARTB_YEARS + 1, year)]
        rows = rows.sort_values(["drug", "year"])
        drug = rows["drug"].to_numpy()
        claims = (rows["units"] / 40).round().astype(np.int64).clip(lower=11)
        users = (claims // 3).clip(lower=11)
        frame = pd.DataFrame(
            {
                "hcpcs_code": code.iloc[drug].to_numpy(),
                "hcpcs_description": described.iloc[drug].to_numpy(),
                "year": rows["year"].astype("str").to_numpy(),
                "claim_count": claims.astype("str").to_numpy(),
                "total_spending": rows["spending_usd"].astype("str").to_numpy(),
                "beneficiary_count": users.astype("str").to_numpy(),
                "total_annual_spending_per_user": (rows["spending_usd"] / users)
                .round(4).astype("str").to_numpy(),
                "unit_count": rows["units"].astype("str").to_numpy(),
                "average_cost_per_unit": rows["price_usd_per_unit"].astype("str").to_numpy(),
                "average_beneficiary_cost_share": "NA",
                "annual_change_in_average_cost_per_unit": "NA",
            }
        ).astype("str")  # fmt: skip
        text = delimited(",".join(frame.columns), csv_lines(frame), "\n")
        place(root, "partb_spending", day, "part_b_spending.csv").write_bytes(text.encode())


def write_partd(world: World, root: Path, words: Words) -> None:
    """Write Medicare Part D spending by product and labeler, the newest two years a release.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    catalogue = world.catalogue
    spending = world.yearly_spending()
    spending = spending[(spending["part"] == "D") & (spending["year"] >= _PARTD_FROM)]
    applications = catalogue.applications
    brand = catalogue.products.drop_duplicates("application").set_index("application")["brand"]
    since = applications["approval_date"].dt.year
    until = applications["left_on"].dt.year.fillna(9999)
    for day, year in _releases(world, spending):
        there = applications[(since <= year) & (until >= year)]
        there = there[there.groupby("drug").cumcount() < _MOST_LABELERS]
        rows = there[["application", "drug", "firm"]].merge(
            spending[spending["year"].between(year - _PARTD_YEARS + 1, year)], on="drug"
        )
        rows = rows.sort_values(["application", "year"], ignore_index=True)
        share = 1 / rows.groupby(["drug", "year"])["application"].transform("size")
        # Products that were not dispensed in the earlier year have blanks for it.
        sold = since.iloc[rows["application"]].to_numpy() <= rows["year"].to_numpy()
        units = (rows["units"] * share).round().where(sold)
        total = (units * rows["price_usd_per_unit"]).round(2)
        claims = (units / 30).round().clip(lower=11)
        name = words.name.iloc[rows["drug"]].reset_index(drop=True)
        branded = brand.reindex(rows["application"]).fillna("").reset_index(drop=True)
        people = (claims / 4).round()
        table = pa.table(
            {
                "Product_Name": pa.array(branded.where(branded != "", name)),
                "Generic_Name": pa.array(name),
                "Manufacturer": pa.array(
                    catalogue.firms["full_name"].iloc[rows["firm"]].str[:15].to_numpy()
                ),
                "Total_Spending": _numbers(total),
                "Total_Dosage_Units": _numbers(units),
                "Total_Claims": _numbers(claims, pa.int64()),
                # Ten people or fewer are not shown.
                "Total_Beneficiaries": _numbers(people.where(people > 10), pa.int64()),
                "Calc_Average_Spending_Per_Dosage_Unit": _numbers(total / units),
                "Calc_Average_Spending_Per_Claim": _numbers(total / claims),
                "Calc_Average_Spending_Per_Beneficiary": _numbers(
                    (total / people).where(people > 10)
                ),
                "Outlier_Flag": pa.array(np.zeros(len(rows), dtype=np.int64)),
                "YEAR": pa.array(rows["year"].to_numpy(dtype=np.int64)),
                "Brand_vs_Generic": pa.array(np.where(branded != "", "Brand", "Generic")),
                "SPECIALTY_DRUG": pa.array(np.zeros(len(rows), dtype=bool)),
            }
        )
        parquet.write_table(
            table, place(root, "partd_spending", day, "partd.parquet"), compression="zstd"
        )


def _numbers(values: pd.Series, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(values.to_numpy(dtype=float), kind or pa.float64(), from_pandas=True)


def _releases(world: World, spending: pd.DataFrame) -> list[tuple[date, int]]:
    """Days of the releases up to the records' end, and the last year that each covers."""
    days = spending.drop_duplicates("year")[["published_at", "year"]]
    found = [
        (when.date(), int(year))
        for when, year in zip(days["published_at"], days["year"], strict=True)
    ]
    first = date(world.starts_on.year - 1, 1, 1)
    return [(day, year) for day, year in found if first <= day <= last_day(world)]
