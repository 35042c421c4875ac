"""A leak audit as terminal text."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from pipelines.terminal import text_table

if TYPE_CHECKING:
    from pipelines.audit import AuditReport
    from training.leak_audit import LeakAudit

_COLOURS = {"passed": "green", "warning": "yellow", "failed": "bold red", "not checked": "dim"}


def render_audit(report: "AuditReport", console: Console) -> None:
    """All checks, what they mean, and the verdict."""
    rows = sum(report.rows.values())
    console.print(
        f"Leak audit of what a training as of {report.as_of} would learn from: {rows:,} rows, "
        f"{report.seconds:.1f} s."
    )
    console.print(
        text_table(
            "checks",
            ["check", "verdict", "meaning"],
            [[check.title, check.verdict, check.meaning] for check in report.audit.checks],
            whole={"verdict"},
        )
    )
    render_findings(report.audit, console)


def render_findings(audit: "LeakAudit", console: Console) -> None:
    """The verdict in one line, then what to do about each finding."""
    failed, warnings = audit.of("failed"), audit.of("warning")
    unchecked = len(audit.of("not checked"))
    counts = [f"{len(audit.of('passed'))} passed"]
    counts += [f"{len(warnings)} with a warning"] if warnings else []
    counts += [f"{len(failed)} failed"] if failed else []
    counts += [f"{unchecked} not checked"] if unchecked else []
    verdict = "no leak found" if audit.clean else "LEAK FOUND"
    line = Text(f"Leak audit: {verdict} ({', '.join(counts)}).")
    line.stylize(_COLOURS["passed" if audit.clean else "failed"])
    console.print(line)
    for check in (*failed, *warnings):
        console.print(Text(f"  {check.verdict}: {check.title}", style=_COLOURS[check.verdict]))
        console.print(f"    {check.meaning}")
        if check.fix is not None:
            console.print(f"    Fix: {check.fix}.")
