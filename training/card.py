"""The model card that travels with every exported model."""

from __future__ import annotations

from shortcast.features.kind import records_of, shortage_list, warning
from shortcast.training.bundle import Bundle
from shortcast.training.tables import figures_tables

_TEXT = """\
# shortcast-risk, version {version}

{simulated}For each drug (a set of active ingredients in a form group) that is not in shortage, the
model estimates the probability that {listing} a **new** shortage of it within
{horizons} months. For each horizon it is the mean, on the scale of log-odds, of boosted trees
(LightGBM: one set that learnt onsets and one that learnt which drugs are in shortage,
averaged) and of a logistic regression on the same features. The mean is
recalibrated: the slope was learnt by an earlier fit, on a later slice of the training period
that it had not seen; the level is set on that slice for the model itself, which has seen it.

- trained at: {trained_at}, on the as-of dates {trained_from} to {trained_through}
- shortage records up to: {records_end}; checksum of the records: `{records_checksum}`
- code version: {code_version}; features: {features}

## Meant for

Looking early at the drugs that deserve it: a hospital pharmacist's watch list, a research
baseline, a ranking that can be cited with its date and version.

## Not meant for

- **It is not a cause.** What raises a score is *associated with* shortages in {records_of}.
  Nothing here says why a shortage happens, or that any maker does anything wrong.
- **It is not medical advice**, and no statement about the quality or safety of a product.
- **It is never a reason to stockpile.** Buying ahead on an estimate makes shortages, and
  takes medicines from patients who need them now. Most drugs high in the ranking will have
  no new shortage.
- It says nothing about drugs already in shortage, nor about any one hospital or wholesaler.

## What the label is worth

The label is an entry on the {shortage_list}. {imitated}The list is a judgement about the whole
market: it opens late, closes when one or more makers cover demand, and leaves out local
and short gaps. In 2023 the FDA counted 55 new shortages and 236 that were prevented, so a
right alert may look false. Of FDA and ASHP reports, 13.7 % were followed by a fall in
purchases of a third or more (JAMA Network Open 2024). Notices of discontinuation are no
shortages and are not counted. Drugs never listed before are much harder to foresee than
drugs listed before; the figures below are given for both.

## What it was made from, and its limits

{records} the FDA's lists of shortages, recalls, inspections, approvals and
products, prices, and shortages abroad. No stock, no sales, no production figures.

- On recalls the FDA says of its enforcement reports that a recall's status is not updated
  after publication, and that the data should not be used to issue alerts to the public or
  to track the life cycle of a recall. Here recalls are only one input to an estimate, as
  they were published; nothing here is an alert about a recalled product.
- There is no public map from a product to the plant that makes it. What is known of
  inspections is known of a company of that name. The sign of the association between
  inspection outcomes and shortages is disputed (GAO 2016; M&SOM 2025, 27:789).
{captures}
## How good it was

{figures}
"""

_CAPTURES = "- Captures of the shortage list before 2020 are sparse; dates of ends are intervals.\n"

_NO_FIGURES = (
    "No backtest of these records was found when the model was trained. Run\n"
    "`shortcast backtest` and `shortcast train` to know.\n"
)


def model_card(bundle: Bundle) -> str:
    """Write the model card of a bundle.

    Parameters
    ----------
    bundle : Bundle
        The model.

    Returns
    -------
    str
        Markdown.
    """
    *shorter, longest = bundle.horizons
    said = warning(bundle.data)
    real = bundle.data == "real"
    return _TEXT.format(
        version=bundle.version or "(not registered)",
        simulated=f"**{said}**\n\n" if said else "",
        listing="the FDA will list" if real else "the made-up market's list will name",
        shortage_list=shortage_list(bundle.data),
        imitated="" if real else "What\nfollows is of the real one, which it imitates.\n\n",
        records="Public records only:" if real else "SIMULATED records only, in the formats of",
        records_of=records_of(bundle.data),
        captures=_CAPTURES if real else "",
        horizons=f"{', '.join(map(str, shorter))} and {longest}" if shorter else longest,
        trained_at=bundle.trained_at,
        trained_from=bundle.trained_from,
        trained_through=bundle.trained_through,
        records_end=bundle.records_end,
        records_checksum=bundle.records_checksum,
        code_version=bundle.code_version,
        features=len(bundle.features),
        figures=figures_tables(bundle.metrics) if bundle.metrics else _NO_FIGURES,
    )
