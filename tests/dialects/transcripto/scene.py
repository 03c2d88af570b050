"""Everything that the document's samples speak of, made in a stage in memory, and what replaces their placeholders."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callscribe.domain.tasks import LABELS, TaskRow, TaskStatus, TaskType, month_of
from tests.dialects.conftest import Client
from tests.dialects.transcripto.samples import HOST, samples
from tests.dialects.transcripto.world import ADMIN, VIDEO_URL, SomeUser, World

OCTOBER_MS = 1_760_950_800_000  # 2025-10-20T09:00:00Z
REPORT_CODE = "b7a62594-a664-4519-b0de-077b5522e245"  # stands for tasks of every type in the document
CALL_CODE = "9360911d-34ce-4e1f-9259-2ba0a1b96ae7"
SAMPLE_HASH = "2bb80d537b1da3e38bd30361aa855686bde0...<hash>"
RECORDING = Path(__file__).parents[2] / "audio/librivox-0880.flac"


@dataclass
class Scene:
    """A user with a directory, questions, categories, a saved filter, a script, and tasks of every type."""

    world: World
    folder: Path

    def __post_init__(self) -> None:
        self.user: SomeUser = self.world.user(scopes=ADMIN)
        self.client: Client = self.world.client_of(self.user)
        self.directory = self.post("/user/directories", name="Website promotion")["directory"]["id"]
        self.question = self.post("/checklist", question="Did they state the plan conditions?")["data"]["id"]
        self.parent = self._category("Sales", "Sales calls")
        self.category = self._category("Technical inquiries", "tech", parent_id=self.parent)
        self._category("Tech", "Technical inquiries")
        self.filter = self._saved_filter()
        self.script = self.post("/user/call_check_scripts/create", **body_of("POST /user/call_check_scripts/create") | {"identifier": "welcome_v0"})["data"]["id"]  # fmt: skip
        self.call = self._call()
        self.video = self.world.made(self.client.send("POST", "/addtaskyoutube", fields={"file_path": VIDEO_URL}))
        self.world.carry_on(self.video)
        self.report = self._report()
        self._analysed()

    def post(self, path: str, **fields: Any) -> Any:
        """What a request of the scene's user is answered."""
        answer = self.client.send("POST", path, fields=fields).json
        assert answer["error_code"] == 0, answer
        return answer

    def table(self, base_url: str) -> Mapping[str, str]:
        """What stands in the document → what takes its place."""
        ids = {
            "directory_id=123": f"directory_id={self.directory}",
            "directory_id=321": f"directory_id={self.directory}",
            '"directory_id": 123': f'"directory_id": {self.directory}',
            '"directory_id": 555': f'"directory_id": {self.directory}',
            "directories/delete/123": f"directories/delete/{self.directory}",
            "/checklist/101": f"/checklist/{self.fresh_question}",
            "/checklist/delete/101": f"/checklist/delete/{self.question}",
            "/checklist/answer/12345": f"/checklist/answer/{self.world.job(self.call).number}",
            "call_categories/edit/12": f"call_categories/edit/{self.category}",
            '"parent_id": 2 ': f'"parent_id": {self.parent} ',
            "call_categories/delete/12": f"call_categories/delete/{self.category}",
            "filters/delete/42": f"filters/delete/{self.filter}",
            "scripts/edit/11": f"scripts/edit/{self.script}",
            '"script_id": 11,': f'"script_id": {self.script},',
            "scripts/delete/11": f"scripts/delete/{self.script}",
            "report_78157": f"report_{self.world.job(self.report).number}",
        }
        codes = {
            "task_code=<GUID>": f"task_code={self.report}",
            CALL_CODE: self.call,
            _asked("callreport/file", REPORT_CODE): _asked("callreport/file", self.report),
            **{_asked(kind, REPORT_CODE): _asked(kind, self.call) for kind in ("_call", "=audio")},
            _asked("_youtube", REPORT_CODE): _asked("_youtube", self.video),
        }
        return {HOST: base_url, "<JWT>": str(self.client.token), **self._credentials(), **ids, **codes, **self._files()}

    @property
    def fresh_question(self) -> int:
        """A question without answers, which may be reworded."""
        number: int = self.post("/checklist", question="Is anything else to be asked?")["data"]["id"]
        return number

    def _credentials(self) -> dict[str, str]:
        given = self.user.log_in
        return {
            "user@example.com": self.user.email,
            SAMPLE_HASH: given["password_hash"],
            "<captcha-token>": given["captcha_token"],
        }

    def _files(self) -> dict[str, str]:
        """Recordings where the samples have theirs; and the apostrophe that ends one sample's quotation too early."""
        recordings = {"/path/to/call.wav": self.folder / "call.wav", "/path/to/audio.mp3": self.folder / "audio.mp3"}
        for path in recordings.values():
            path.write_bytes(RECORDING.read_bytes())
        return {sample: str(path) for sample, path in recordings.items()} | {"let's": "let'\\''s"}

    def _category(self, name: str, description: str, parent_id: int | None = None) -> int:
        fields = {"name": name, "description": description, "parent_id": parent_id}
        number: int = self.post("/user/call_categories/create", **fields)["data"]["id"]
        return number

    def _saved_filter(self) -> int:
        self.post("/tasks/filters/save", **body_of("POST /tasks/filters/save"))
        saved: int = self.client.send("GET", "/tasks/filters/list").json["filters"][0]["id"]
        return saved

    def _call(self) -> str:
        """A call of every known fact, completed, to which a question was answered."""
        fields = {
            "directory_id": self.directory,
            "operator_name": "Ivanov",
            "call_type": "inbound",
            "call_date": "2025-10-20",
            "call_datetime": "2025-10-20T12:00:00+03:00",
        }
        code = self.world.completed(self.client, file_name="rec_2025-10-01_0750.wav", **fields)
        answers = [{"checklist_id": self.question, "answer": "Yes"}]
        path = f"/checklist/answer/{self.world.job(code).number}"
        answered = self.client.send("POST", path, fields=answers)
        assert answered.json["error_code"] == 0, answered.text
        return code

    def _report(self) -> str:
        """A report's task, with the files that it would have made."""
        made = self.post("/user/callreport", start_date="2025-10-01", end_date="2025-10-31")
        job = self.world.job(made["report_task_code"])
        for suffix in ("pdf", "html"):
            self.world.results.put(f"{job.results_prefix}report_{job.number}.{suffix}", b"a report")
        return job.id

    def _analysed(self) -> None:
        """A task of which the index knows all that an analysis will say: it fits every criterion of the samples."""
        asked = body_of("POST /tasks/filter")
        wanted = {label: asked[f"{label}_id"] for label in LABELS}
        row = TaskRow(
            id=12_345,
            code="9289bd97-ac8c-41b3-bce8-fbcd86f1da7c",
            type=TaskType.CALL,
            status=TaskStatus.COMPLETED,
            created_at_ms=OCTOBER_MS,
            updated_at_ms=OCTOBER_MS,
            version=5,
            operator_name="Ivanov",
            call_at_ms=OCTOBER_MS,
            call_type="inbound",
            length_min=64.2,
            satisfaction=8,
            politeness=4,
            script_alignment=90.0,
            labels={label: one[0] if isinstance(one, list) else one for label, one in wanted.items() if one},
            tags=("eSIM",),
            answers=((asked["checklist_id"], "Yes"),),
            words="the esim setup",
        )
        self.world.index.take_in(self.user.tenant_id, month_of(OCTOBER_MS), [row], gone={})


def body_of(route: str) -> dict[str, Any]:
    """The JSON that a sample of the document sends."""
    command = next(one.command for one in samples() if one.route == route)
    fields: dict[str, Any] = json.loads(command[command.index("{") : command.rindex("}") + 1])
    return fields


def _asked(after: str, code: str) -> str:
    """How a sample asks for the file of a task, after some text."""
    return f'{after}" \\\n--data-urlencode "task_code={code}'
