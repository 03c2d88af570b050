"""A task's report as plain text, UTF-8: its title, then each section after a blank line."""

from callscribe.exports.task_report import Section, TaskReport, sections, title


def render(report: TaskReport, language: str) -> bytes:
    """The file in one of the languages of `task_labels.TASK_LABELS`. A lone surrogate becomes `?`."""
    parts = [f"{title(report, language)}\n", *map(_text, sections(report, language))]
    return "\n".join(parts).encode(errors="replace")


def _text(section: Section) -> str:
    return "".join(f"{line}\n" for line in (section.heading, *(lead + text for lead, text in section.lines)))
