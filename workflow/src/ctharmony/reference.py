"""The reference of every config key, made from the schemas: `python -m ctharmony.reference`.

It prints config/README.md; a test compares the two, so that the page cannot drift.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from ctharmony.settings import read_schema, resolved

HEAD = """# Every key of config/config.yaml

Made from `workflow/schemas/` by `python -m ctharmony.reference > config/README.md`.
The value shown is the one in `config/config.yaml`.

A study may set any of these on the command line, for example
`snakemake --cores 2 --configfile my_study.yaml`: keys given there win over `config/config.yaml`.
"""
COLUMNS = "| key | meaning | range | value |\n|---|---|---|---|\n"
SHEETS = """
## Sheets

Tab-separated text with a header; empty cells and `n/a` mean missing.

**Sites sheet** (`sites`)

| column | meaning |
|---|---|
| site | id: letters, digits, `-`, `_` |
| role | `reference` (trains the model) or `query` (onboarded with the network frozen) |
| manifest | path of the site's manifest |
| scanner | only for virtual sites: name of the virtual scanner that makes its scans |

**Manifest** (one per site; append rows, do not reorder: membership of a batch is row order)

| column | meaning |
|---|---|
| scan | id, unique in the study |
| subject | id; the same person has the same id at every site |
| path | DICOM folder or file, or NIfTI; environment variables such as `${ARCHIVE}` are filled in |
| split | `train`, `validation` or `test`; drawn by subject when empty |
| paired_scan | `site/scan` of the same acquisition as the target scanner shows it; only judges |
| kernel, kvp, manufacturer | win over what the files say |
| age, sex, ... | covariates; biology probes use them, transforms never see them |
"""


def render(schema_folder: Path, config: dict[str, Any]) -> str:
    """The reference as Markdown.

    Args:
        schema_folder: holds config.schema.yaml and the files its `$ref`s name.
        config: the configuration whose values are shown.
    """
    schema = resolved(read_schema(schema_folder / "config.schema.yaml"), schema_folder)
    top, sections = [], []
    for key, block in schema["properties"].items():
        if "properties" not in block:
            top.append(_row(key, block, config.get(key)))
            continue
        rows = list(_rows("", block, config.get(key) or {}))
        sections.append(f"\n## {key}\n\n{block.get('description', '')}\n\n{COLUMNS}{''.join(rows)}")
    return f"{HEAD}\n## Study\n\n{COLUMNS}{''.join(top)}{''.join(sections)}{SHEETS}"


def _rows(prefix: str, block: dict[str, Any], values: Any) -> list[str]:
    rows = []
    for key, part in block.get("properties", {}).items():
        value = values.get(key) if isinstance(values, dict) else None
        if "properties" in part:
            rows += _rows(f"{prefix}{key}.", part, value or {})
        else:
            rows.append(_row(prefix + key, part, value))
    return rows


def _row(key: str, part: dict[str, Any], value: Any) -> str:
    meaning = " ".join(str(part.get("description", "")).split()).replace("|", "\\|")
    shown = "" if value is None else f"`{_short(value)}`"
    return f"| {key} | {meaning} | {_range(part)} | {shown} |\n"


def _range(part: dict[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    kind = part.get("type", "")
    kind = " or ".join(kind) if isinstance(kind, list) else kind
    signs = {
        "minimum": ">=",
        "exclusiveMinimum": ">",
        "maximum": "<=",
        "exclusiveMaximum": "<",
        "minItems": "items >=",
        "maxItems": "items <=",
    }
    limits = [f"{sign} {part[name]}" for name, sign in signs.items() if name in part]
    return ", ".join([kind, *limits])


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(str(key) for key in value) + "}"
    return str(value).replace("|", "\\|")


if __name__ == "__main__":
    shipped = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    sys.stdout.write(render(Path("workflow/schemas"), shipped))
