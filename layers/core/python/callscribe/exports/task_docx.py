"""A task's report as a word processor's document. Imported late, see `word`."""

from callscribe.exports import word
from callscribe.exports.task_report import TaskReport, sections, title


def render(report: TaskReport, language: str) -> bytes:
    """The file in one of the languages of `task_labels.TASK_LABELS`."""
    document = word.new(title(report, language), language=language)
    for section in sections(report, language):
        document.add_heading(section.heading, level=1)
        for lead, text in section.lines:
            word.write(document, lead, text)
    return word.to_bytes(document)
