"""What a search of folders found and what is missing, in words and one table."""

from collections import Counter

from rich import box
from rich.console import Console
from rich.table import Table

from ctharmony.commands.sheets import SCANNER, FoundSite
from ctharmony.commands.study import StudyFiles

FEW_PROBED = 3  # subjects; fewer and the site probes of the evaluation are refused
MOST_SCANNERS = 3  # named of one site
NEEDED_BY = {
    "age": "biology probes need it",
    "sex": "biology probes need it",
    "kernel": "it names the reconstruction in the report",
    "kvp": "it names the tube voltage in the report",
}


def tell(
    console: Console, found: list[FoundSite], roles: dict[str, str], study: StudyFiles
) -> None:
    """Print the sites, what is missing, and the next commands."""
    table = Table(box=box.SIMPLE)
    for name in ("site", "role", "scans", "subjects", "left out", "scanner and kernel"):
        table.add_column(name, overflow="fold", no_wrap=name in ("site", "role"))
    target = study.config["target"]
    for each in found:
        mark = " (target)" if each.site == target and roles.get(each.site) == "reference" else ""
        table.add_row(
            each.site,
            roles.get(each.site, "not used") + mark,
            str(len(each.scans)),
            str(each.scans["subject"].nunique()),
            str(len(each.left_out)),
            _scanners(each),
        )
    console.print(table)
    for line in missing(found, roles, study):
        console.print(f"- {line}", highlight=False, soft_wrap=True)
    _next(console, study)


def missing(found: list[FoundSite], roles: dict[str, str], study: StudyFiles) -> list[str]:
    """Sentences about what is missing, each with what it costs or how to mend it."""
    used = [each for each in found if each.site in roles]
    lines = [line for each in found for line in (*_left_out(each), *_mixed(each))]
    if len(study.cohort.sites) == 1:
        lines.append("only one site: there is nothing to harmonize it with; give more --data")
    lines += _facts(used, f"{study.config['sites'].removesuffix('sites.tsv')}scans/")
    few = [each.site for each in used if each.scans["subject"].nunique() < FEW_PROBED]
    if few:
        lines.append(
            f"fewer than {FEW_PROBED} subjects at {_named(few, used)}: enough to harmonize, but "
            "the site probes will say 'cannot be answered', and what is a patient's own (contrast "
            "agent, dense bone) passes for the scanner's: compare like with like, or add scans"
        )
    if not any("paired_scan" in row for site in study.cohort.sites.values() for row in site.rows):
        lines.append(
            "no paired scans (column paired_scan): agreement with the truth cannot be measured"
        )
    return lines


def _left_out(each: FoundSite) -> list[str]:
    reasons = Counter(each.left_out["left_out"])
    return [f"{each.site}: {n} left out: {reason}" for reason, n in reasons.most_common()]


def _facts(used: list[FoundSite], place: str) -> list[str]:
    """One sentence per fact that some scans lack."""
    lines = []
    for name, meaning in NEEDED_BY.items():
        lacking = {each.site: each.lacking()[name] for each in used if name in each.lacking()}
        if lacking:
            total = sum(len(each.scans) for each in used)
            lines.append(
                f"{name} is unknown for {sum(lacking.values())} of {total} scans "
                f"({_named(list(lacking), used)}); {meaning}: fill in the column {name} in {place}"
            )
    return lines


def _mixed(each: FoundSite) -> list[str]:
    """What to do where one site holds several scanners or kernels: they would count as one."""
    known = len([name for name in _counted(each) if name])
    if known < 2:
        return []
    return [
        f"{each.site}: {known} scanners or kernels in one site, which are then taken for one "
        "scanner; --by scanner makes a site of each"
    ]


def _named(sites: list[str], used: list[FoundSite]) -> str:
    """Sites by name, or all of them in a word."""
    everywhere = len(used) > 2 and len(sites) == len(used)
    return f"all {len(used)} sites" if everywhere else ", ".join(sites)


def _scanners(each: FoundSite) -> str:
    named = _counted(each)
    told = [f"{name or 'unknown'} ({count})" for name, count in named.most_common(MOST_SCANNERS)]
    more = len(named) - len(told)
    return ", ".join(told + [f"{more} more"] * bool(more))


def _counted(each: FoundSite) -> Counter[str]:
    """Scans of every maker, model and kernel."""
    rows = each.scans[list(SCANNER)].to_dict("records")
    return Counter(" ".join(str(v) for v in row.values() if v == v and v) for row in rows)


def _next(console: Console, study: StudyFiles) -> None:
    place = study.overlay.parent if study.overlay else ""
    config = study.overlay or "config/config.yaml"
    console.print(f"\nWritten: {config}, {place}/sites.tsv, {place}/scans/", highlight=False)
    console.print("Next:", highlight=False)
    console.print(f"  python -m ctharmony check {place}", highlight=False)
    console.print(f"  {run_command(study)}", highlight=False, soft_wrap=True)


def run_command(study: StudyFiles) -> str:
    """The command that runs the study."""
    profile = "--workflow-profile workflow/profiles/default --logger ctharmony"
    return " ".join(["snakemake --cores all", profile, *study.options()])
