"""Write or check `requirements.lock`: the exact version of everything the project installs.

    python tools/lock.py           write what is installed here
    python tools/lock.py --check   fail where lock, pyproject.toml and installation differ

pip resolves; this only walks what it installed, from the requirements of pyproject.toml down.
"""

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"


def main() -> int:
    """Write the lock, or compare it with what is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    try:
        lines = [f"{name}=={version}" for name, version in sorted(_closure(wanted).items())]
    except (PackageNotFoundError, ValueError) as error:
        print(f"requirements.lock cannot be made: {error}", file=sys.stderr)
        return 1
    text = "# Written by `make lock`; checked by `make lint`.\n" + "\n".join(lines) + "\n"
    if "--check" not in sys.argv:
        LOCK.write_text(text)
        return 0
    locked = LOCK.read_text() if LOCK.is_file() else ""
    different = sorted(set(locked.splitlines()) ^ set(text.splitlines()))
    if different:
        print(f"requirements.lock is out of step, run `make lock`: {different}", file=sys.stderr)
    return int(bool(different))


def _closure(wanted: list[str]) -> dict[str, str]:
    """Return the installed version by name of the requirements and all they need."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    queue = [Requirement(text) for text in wanted]
    while queue:
        requirement = queue.pop()
        installed = distribution(requirement.name)
        # A local part as in 2.13.0+cpu says where a build came from; the lock must not ask for it.
        version = installed.version.split("+")[0]
        if not requirement.specifier.contains(version, prereleases=True):
            raise ValueError(f"{requirement} is not met by the installed {version}")
        found[canonicalize_name(requirement.name)] = version
        for extra in requirement.extras | {""}:
            if (key := (canonicalize_name(requirement.name), extra)) in seen:
                continue
            seen.add(key)
            needs = map(Requirement, installed.requires or [])
            queue += [r for r in needs if r.marker is None or r.marker.evaluate({"extra": extra})]
    return found


if __name__ == "__main__":
    sys.exit(main())
