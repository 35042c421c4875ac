"""From the contacts in the warehouse to a model of unsubscribing."""

from collections.abc import Mapping

from features.history_reader import HistoryReader
from features.history_sample import customer_hashes, lowest_hashes, select_customers
from features.progress import Progress, silent
from features.spec import FeatureSpec
from features.warehouse import Warehouse
from pipelines.config import Config
from pipelines.engine import map_buckets
from training.attrition import AttritionFit, fit_attrition
from training.attrition_rows import AttritionRows, attrition_rows, concat_attrition

CUSTOMERS = 200_000
"""Customers whose contacts are followed, at most: shares of 1 % are exact enough with them."""


def train_attrition(
    config: Config,
    *,
    spec: FeatureSpec,
    until_us: tuple[int, int],
    versions: Mapping[str, int] | None = None,
    progress: Progress = silent,
) -> AttritionFit:
    """Learn how likely contacts end with customers leaving the channel.

    Parameters
    ----------
    config : the configuration; its unsubscribe_share is what is assumed before any contact.
    spec : the run's specification, with the configuration's channels.
    until_us : local midnight before which all days are complete, and the training as-of;
        `Folds.observed_until_us` and `Folds.trained_until_us`.
    versions : Delta version of each table; null means now.
    progress : told after each bucket.

    Raises
    ------
    ArtifactError : no warehouse.
    """
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    reader = HistoryReader(warehouse, spec=spec, versions=versions)
    at_most = -(-CUSTOMERS // warehouse.n_buckets)

    def rows_of(bucket: int) -> AttritionRows:
        history = reader.read(bucket)
        history = select_customers(history, lowest_hashes(customer_hashes(history), at_most))
        return attrition_rows(
            history, spec=spec, observed_until_us=until_us[0], trained_until_us=until_us[1]
        )

    pieces = map_buckets(
        rows_of,
        range(warehouse.n_buckets),
        threads=config.training.learner.threads,
        progress=progress,
        task="following contacts",
    )
    return fit_attrition(
        concat_attrition(pieces),
        channels=tuple(config.channels),
        shares=[channel.unsubscribe_share for channel in config.channels.values()],
    )
