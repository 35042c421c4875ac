"""Policies by their source: what stored lists recommended, a rule, what was logged."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from features.errors import ArtifactError, UsageError, describe
from pipelines.policy_rows import NOT_LISTED, PolicyRows
from pipelines.policy_rule import apply_rule, parse_rule
from training.effect_sample import NO_CONTACT
from training.policy_support import Policy, logged_policy, no_contact

Int16Array = NDArray[np.int16]

ALL_LISTS = "all"
NONE, LOGGED = "none", "logged"


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """Which policies to judge on what.

    Attributes
    ----------
    lists : local dates of stored lists, or "all"; together they are one policy.
    models : "champion", "challenger", or folders of a contact-effect bundle.
    rules : policies written by hand.
    against : what all of them are compared with: "none", "logged", or a rule.
    since, until : first and last local date of the assignments; null for all.
    """

    lists: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    against: str = NONE
    since: date | None = None
    until: date | None = None

    def check(self) -> None:
        """Refuse a request without a policy, or with dates that make no sense.

        Raises
        ------
        UsageError : so it is.
        """
        if not (self.lists or self.models or self.rules):
            raise UsageError(
                describe(
                    "evaluate-policy",
                    "no policy to evaluate",
                    expected="at least one of --list, --model and --rule",
                    fix='add one, such as --rule "sms/none where silence_days >= 60"',
                )
            )
        if self.since is not None and self.until is not None and self.since > self.until:
            raise UsageError(
                describe(
                    "--since",
                    f"{self.since} is later than --until {self.until}",
                    expected="a first date not after the last one",
                    fix="swap them",
                )
            )
        self.list_days()

    def list_days(self) -> tuple[date, ...]:
        """The dates of `lists`; none if it is "all" or nothing.

        Raises
        ------
        UsageError : one is no date.
        """
        days = []
        for text in self.lists:
            if text == ALL_LISTS:
                continue
            try:
                days.append(date.fromisoformat(text))
            except ValueError as error:
                raise UsageError(
                    describe(
                        "--list",
                        f"{text!r} is not a date",
                        expected='a date such as 2026-11-20, or "all"',
                        fix="pass the local date of a stored list",
                    )
                ) from error
        return () if ALL_LISTS in self.lists else tuple(sorted(set(days)))


@dataclass(frozen=True, slots=True)
class ScoredPolicy:
    """A policy and, where it ranks customers, its ranking.

    Attributes
    ----------
    policy : what it would do.
    contact : the contact it holds best in every row, whether or not it would make it.
    score : what it expects of that contact, not finite for rows that it does not rank,
        shape (n,); null for policies without a ranking.
    closed : rows in which the action asked for was closed, and became no contact.
    """

    policy: Policy
    contact: Int16Array | None = None
    score: NDArray[np.float64] | None = None
    closed: int = field(default=0)


def rows_of_lists(rows: PolicyRows, request: PolicyRequest, decided: Sequence[date]) -> PolicyRows:
    """The rows that the asked lists recommended something for.

    Raises
    ------
    ArtifactError : there is no list of one of the dates.
    """
    if not request.lists:
        return rows
    days = request.list_days()
    missing = [day for day in days if day not in decided]
    if missing or not decided:
        have = f"{len(decided)} lists, {decided[0]} to {decided[-1]}" if decided else "no list"
        raise ArtifactError(
            describe(
                "--list",
                f"no list of {len(missing)} of the dates" if missing else "no list is stored",
                examples=missing,
                expected=f"a night in the table decisions, which has {have}",
                fix="choose one of those dates, or run `winback nightly --as-of DATE`",
            )
        )
    listed = rows.recommended != NOT_LISTED
    asked = np.array([not days or day in days for day in rows.day], dtype=np.bool_)
    return rows.take(listed & asked)


def list_policy(rows: PolicyRows, request: PolicyRequest) -> ScoredPolicy:
    """Contact everybody with what the list of the day recommended; its gains rank them."""
    days = request.list_days()
    shown = ", ".join(day.isoformat() for day in days[:3]) + (", ..." if len(days) > 3 else "")
    policy = Policy(f"list {shown}" if days else "lists", rows.recommended)
    # Those on trial have no contact that the list would rank.
    ranked = np.where(rows.recommended == NO_CONTACT, np.nan, rows.gain)
    return ScoredPolicy(policy, contact=rows.recommended, score=ranked)


def rule_policy(rows: PolicyRows, text: str) -> ScoredPolicy:
    """A policy written by hand; channels that were closed to a customer stay closed.

    Raises
    ------
    UsageError : it cannot be read or computed.
    """
    actions = rows.sample.actions
    rule = parse_rule(text, actions=actions)
    action = apply_rule(rule, rows.columns, actions=actions)
    kept = rows.without_closed(action)
    return ScoredPolicy(Policy(rule.text, kept), closed=int(np.count_nonzero(kept != action)))


def baseline_policy(rows: PolicyRows, against: str) -> ScoredPolicy:
    """What the policies are compared with.

    Raises
    ------
    UsageError : it is neither "none" nor "logged" nor a rule.
    """
    if against == NONE:
        return ScoredPolicy(no_contact(len(rows)))
    if against == LOGGED:
        return ScoredPolicy(logged_policy(rows.sample))
    return rule_policy(rows, against)
