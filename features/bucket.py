"""Which bucket a customer belongs to: the same number in Python, DuckDB and Spark."""

import hashlib

_HEX_DIGITS = 8


def bucket_of(customer_id: str, *, n_buckets: int) -> int:
    """The bucket of one customer: the first 32 bits of MD5, modulo the bucket count.

    MD5 because every engine has it and none changes it; neither Python's nor DuckDB's own
    hash is stable across versions.

    Parameters
    ----------
    customer_id : the identifier, hashed as UTF-8.
    n_buckets : number of buckets of the warehouse.

    Returns
    -------
    Number in [0, n_buckets).
    """
    digest = hashlib.md5(customer_id.encode("utf-8"), usedforsecurity=False).hexdigest()
    return int(digest[:_HEX_DIGITS], 16) % n_buckets


def bucket_sql(column: str, n_buckets: int) -> str:
    """`bucket_of` as a DuckDB expression of type INTEGER over a VARCHAR expression."""
    return f"(('0x' || substr(md5({column}), 1, {_HEX_DIGITS}))::BIGINT % {n_buckets})::INTEGER"
