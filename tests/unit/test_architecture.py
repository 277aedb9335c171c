"""The direction of imports, and other promises of the house that can be read from the files."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

PACKAGES = ("registration", "model", "harmonization", "quality", "phantom", "evaluation")
ALLOWED = {
    "harmonization": {"information", "quality"},
    "evaluation": {"information", "quality"},
    "demonstration": {"information", "model", "evaluation"},
    "information": set(),
    "io": {"information", "quality", "model", "remaining"},
    "cohort": {"sheets"},
    "sheets": set(),
    "resources": set(),
    "endings": set(),
    "remaining": set(),
    "versions": set(),
    "settings": {"cohort"},
    **{name: {"information"} for name in ("registration", "model", "quality", "phantom")},
}
DISK_MODULES = {"nibabel", "pathlib", "tempfile", "shutil", "os"}


def library(root: Path) -> Path:
    return root / "workflow" / "src" / "ctharmony"


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def unit_of(path: Path, root: Path) -> str:
    return path.relative_to(library(root)).parts[0].removesuffix(".py")


def library_files(root: Path) -> list[Path]:
    return sorted(library(root).rglob("*.py"))


def test_dependencies_point_one_way(root):
    breaches = []
    for path in library_files(root):
        unit = unit_of(path, root)
        inner = {n.split(".")[1] for n in imported(path) if n.startswith("ctharmony.")}
        breaches += [
            f"{path.relative_to(root)} imports {name}"
            for name in inner - {unit} - ALLOWED.get(unit, inner)
        ]
    assert breaches == []


def test_only_scripts_call_the_jobs(root):
    callers = [
        str(path.relative_to(root))
        for path in library_files(root)
        if unit_of(path, root) != "jobs"
        and any(name.startswith("ctharmony.jobs") for name in imported(path))
    ]
    assert callers == []


def test_only_tracking_imports_mlflow(root):
    users = [
        path.name
        for path in library_files(root)
        if any(name.split(".")[0] == "mlflow" for name in imported(path))
    ]
    assert all(name.startswith("tracking") for name in users), users


def test_numeric_packages_have_no_way_to_disk(root):
    breaches = [
        f"{path.relative_to(root)} imports {name}"
        for path in library_files(root)
        if unit_of(path, root) in ("registration", "model", "harmonization", "quality")
        for name in imported(path)
        if name.split(".")[0] in DISK_MODULES
    ]
    assert breaches == []


def test_parsing_the_snakefile_needs_neither_torch_nor_nibabel(root):
    code = (
        "import sys, ctharmony.cohort, ctharmony.settings, ctharmony.versions, ctharmony.endings;"
        "print(sorted({'torch', 'nibabel', 'mlflow', 'scipy'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_no_pickle_is_loaded(root):
    for path in [*library_files(root), *(root / "workflow" / "scripts").glob("*.py")]:
        text = path.read_text()
        assert not re.search(r"^\s*(import pickle|from pickle)", text, re.M), path
        assert not re.search(r"read_pickle|joblib\.load|allow_pickle=True|yaml\.load\(", text), path
        for call in re.findall(r"torch\.load\(.*", text):
            assert "weights_only=True" in call, f"{path}: {call}"


def test_every_rule_has_its_script(root):
    rules = set()
    for path in (root / "workflow" / "rules").glob("*.smk"):
        text = path.read_text()
        for rule in re.split(r"^(?=rule \w+:)", text, flags=re.M)[1:]:
            rules |= {re.match(r"rule (\w+)", rule)[1]} if "script:" in rule else set()
    scripts = {path.stem for path in (root / "workflow" / "scripts").glob("*.py")}
    assert rules == scripts - {"__init__"}


@pytest.mark.parametrize(
    ("places", "most"),
    [
        ("workflow/scripts/*.py", 30),
        ("workflow/Snakefile", 40),
        ("workflow/rules/*.smk", 120),
        ("workflow/src/**/*.py", 250),
        ("tests/**/*.py", 250),
    ],
)
def test_files_are_short(root, places, most):
    lengths = {path: len(path.read_text().splitlines()) for path in root.glob(places)}
    assert lengths and {path: count for path, count in lengths.items() if count > most} == {}


def body_lines(node: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    told = ast.get_docstring(node, clean=False) is not None
    docstring = node.body[0].end_lineno - node.body[0].lineno + 1 if told else 0
    return node.end_lineno - node.lineno + 1 - docstring


def test_functions_are_short_and_take_few_arguments(root):
    found = []
    for path in [*library_files(root), *sorted((root / "tests" / "support").glob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                names = [arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)]
                taken = len(set(names) - {"self", "cls"})
                if body_lines(node) > 30 or taken > 6:
                    found.append(f"{path.relative_to(root)}: {node.name}")
    assert found == []


def pins(lines) -> dict[str, str]:
    found = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[\w+\])?==(\S+)", line.strip())
        if match:
            found[match[1].lower().replace("_", "-")] = match[2]
    return found


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_environment_pins_equal_the_constraints(root, name):
    constraints = pins((root / "constraints.txt").read_text().splitlines())
    environment = yaml.safe_load((root / "envs" / f"{name}.yaml").read_text())
    listed = pins(next(d for d in environment["dependencies"] if isinstance(d, dict))["pip"])
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    needed = {re.match(r"[A-Za-z0-9_.-]+", d)[0].lower() for d in project["dependencies"]}
    assert set(listed) == needed
    assert listed == {key: constraints[key] for key in listed}
