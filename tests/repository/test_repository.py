"""The repository keeps its own promises: the README's map, the Makefile's help, the tables that infra relies on."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def mapped_paths() -> list[str]:
    section = README.split("## Map of the tree", 1)[1].split("\n## ", 1)[0]
    block = re.search(r"```\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return [line.split()[0].rstrip("/") for line in block.group(1).splitlines() if line.strip()]


def test_every_path_of_the_readmes_map_exists() -> None:
    missing = [path for path in mapped_paths() if not (ROOT / path).exists()]
    assert missing == []


def test_every_top_level_entry_and_every_function_stands_on_the_readmes_map() -> None:
    top = {name.split("/")[0] for name in tracked() if not name.startswith(".")}
    functions = {"/".join(name.split("/")[:2]) for name in tracked() if name.startswith("functions/")}
    assert (top | functions) - set(mapped_paths()) == set()


def test_every_make_target_has_a_help_line_and_the_readme_names_it() -> None:
    targets = re.findall(r"^\.PHONY: ([a-z-]+)$", MAKEFILE, re.MULTILINE)
    helped = re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE)
    assert len(targets) > 10
    assert sorted(targets) == sorted(helped)
    assert [name for name in targets if f"make {name}" not in README] == []


def test_every_make_target_that_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^\.PHONY: ([a-z-]+)$", MAKEFILE, re.MULTILINE))
    for document in ROOT.glob("*.md"):
        named = set(re.findall(r"`make ([a-z-]+)", document.read_text()))
        assert named - targets == set(), document.name


def test_every_ignored_rule_says_why() -> None:
    marks = re.compile(r"#\s*(noqa|type: ignore)(?!-)")
    bare = re.compile(r"#\s*(noqa(: [A-Z0-9, ]+)?|type: ignore(\[[^\]]*\])?)\s*$")
    offenders = []
    for name in tracked():
        if name.endswith(".py") and name != "tests/repository/test_repository.py":
            lines = (ROOT / name).read_text().splitlines()
            offenders += [
                f"{name}:{number}" for number, line in enumerate(lines, 1) if marks.search(line) and bare.search(line)
            ]
    assert offenders == []


def test_no_function_is_longer_than_fifty_lines() -> None:
    long = []
    for name in tracked():
        if name.endswith(".py") and not name.startswith("tests/"):
            for node in ast.walk(ast.parse((ROOT / name).read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or 0) - node.lineno + 1
                    if lines > 50:
                        long.append(f"{name}:{node.lineno} {node.name} has {lines} lines")
    assert long == []


def test_every_dialect_has_the_same_four_files_or_areas_that_each_have_routes_and_a_folder_of_tests() -> None:
    dialects = ROOT / "layers/core/python/callscribe/dialects"
    folders = [path for path in dialects.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert folders
    for folder in folders:
        areas = [path for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"]
        four = {"__init__.py", "mapping.py", "routes.py", "schemas.py"}
        assert areas or {path.name for path in folder.glob("*.py")} == four
        assert all({path.name for path in area.glob("*.py")} >= {"__init__.py", "routes.py"} for area in areas)
        assert (ROOT / "tests/dialects" / folder.name).is_dir()


CONTAINERS = ("transcribe_worker", "fetch_video", "door")


def test_every_lambda_is_one_handler_file() -> None:
    for folder in (ROOT / "functions").iterdir():
        if folder.is_dir() and folder.name not in ("__pycache__", *CONTAINERS):
            assert [path.name for path in folder.glob("*.py")] == ["handler.py"]


# The ids of the contracts' rows, by dialect.
ROWS = {
    "presign": [*(f"P-{number:02}" for number in range(1, 14)), *(f"P-A{number}" for number in range(1, 12))],
    "mor": [*(f"M-{number:02}" for number in range(1, 17)), *(f"M-A{number}" for number in range(1, 11))],
    "aivoco": [
        *(f"A-{number:02}" for number in range(1, 13)),
        "A-L1",
        *(f"A-A{number}" for number in range(1, 9)),
    ],
    "transcripto": [
        *(f"T-{number:02}" for number in (*range(1, 8), *range(10, 37))),
        *(f"T-L{number}" for number in range(1, 4)),
        *(f"T-A{number}" for number in range(1, 27)),
    ],
}
NOTHING_TO_DO = ("P-A6",)  # a misprint in the document's own type names


def test_every_dialect_has_its_contracts_rows_here() -> None:
    dialects = ROOT / "layers/core/python/callscribe/dialects"
    folders = {path.name for path in dialects.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(ROWS) == folders


@pytest.mark.parametrize(("dialect", "row"), [(dialect, row) for dialect, rows in ROWS.items() for row in rows])
def test_every_row_of_a_contract_has_a_test_with_its_id(dialect: str, row: str) -> None:
    if row in NOTHING_TO_DO:
        return
    wanted = re.compile(rf"def test_(\w*_)?{row.replace('-', '_')}(?![0-9])")
    tests = [*ROOT.glob(f"tests/dialects/{dialect}/*.py"), *ROOT.glob("tests/e2e/*.py")]
    assert any(wanted.search(path.read_text()) for path in tests)


def test_no_registry_host_and_no_machine_path_is_written_down() -> None:
    hosts = re.compile(
        "|".join(
            (
                "pypi" + r"\.org",
                "python" + "hosted",
                "registry" + r"\.npmjs",
                "npmjs" + r"\.(com|org)",
                "/work" + "/main",
            )
        )
    )
    offenders = []
    for name in tracked():
        try:
            text = (ROOT / name).read_text()
        except UnicodeDecodeError:
            continue
        if hosts.search(text):
            offenders.append(name)
    assert offenders == []


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def breaches(folder: str, allowed: re.Pattern[str]) -> list[str]:
    """Imports of our own code below a folder that its rule does not allow."""
    own = re.compile(r"(callscribe|infra|functions|local|benchmarks|tests)(\.|$)")
    return [
        f"{name}: {module}"
        for name in tracked()
        if name.startswith(folder) and name.endswith(".py")
        for module in sorted(imported_modules(ROOT / name))
        if own.match(module) and not allowed.match(module)
    ]


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        ("infra/", r"infra(\.|$)|callscribe$|callscribe\.names(\.|$)"),
        ("functions/", r"callscribe$|callscribe\.(wiring|dialects|services|domain|ports|errors|names)(\.|$)"),
        ("layers/", r"callscribe(\.|$)"),
        ("local/", r"(local|callscribe|benchmarks)(\.|$)"),
    ],
)
def test_a_folder_imports_only_what_its_rule_allows(folder: str, allowed: str) -> None:
    assert breaches(folder, re.compile(allowed)) == []


def test_the_readmes_settings_table_is_that_of_the_code() -> None:
    code = (ROOT / "infra/settings.py").read_text()
    settings_table = code[code.index("| setting |") : code.index('"""\n\nimport ')]
    assert settings_table in README
