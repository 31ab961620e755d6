"""CommonJS modules of npm as one script for a page: each as it was published, behind a `require` of its own.

JsSIP is published as such modules alone. A bundler would be ten times as large as what it bundles.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

_REQUIRE = re.compile(r"""require\(\s*['"]([^'"]+)['"]\s*\)""")

_SCRIPT = """\
const linkedModules = {%s};
const linkedLoaded = {};
function linkedRequire(at) {
  if (!(at in linkedLoaded)) {
    const [run, names] = linkedModules[at];
    const module = linkedLoaded[at] = {exports: {}};
    run((name) => linkedRequire(names[name]), module, module.exports);
  }
  return linkedLoaded[at].exports;
}
globalThis.%s = linkedRequire(%s);
"""


def linked(package: str, name: str, folder: Path) -> str:
    """A package of `folder` (node_modules) and all that it requires, as a script that makes it the global `name`."""
    modules: dict[Path, dict[str, Path]] = {}
    first = _main(folder / package)
    waiting = [first]
    while waiting:
        at = waiting.pop()
        if at in modules:
            continue
        wanted = set(_REQUIRE.findall(at.read_text())) if at.suffix == ".js" else set()
        modules[at] = {each: found for each in wanted if (found := _found(each, at, folder)) is not None}
        waiting += modules[at].values()
    texts = ",\n".join(_module(at, names, folder) for at, names in modules.items())
    return _SCRIPT % (texts, name, json.dumps(_key(first, folder)))


def _module(at: Path, names: dict[str, Path], folder: Path) -> str:
    body = at.read_text() if at.suffix == ".js" else f"module.exports = {at.read_text()};"
    keys = {each: _key(found, folder) for each, found in names.items()}
    return f"{json.dumps(_key(at, folder))}: [function (require, module, exports) {{\n{body}\n}}, {json.dumps(keys)}]"


def _key(at: Path, folder: Path) -> str:
    return str(at.relative_to(folder))


def _found(name: str, by: Path, folder: Path) -> Path | None:
    """What a module means by a name; None = what only node.js has, and the page's code does not come to."""
    if not name.startswith("."):
        return _main(folder / name) if (folder / name).is_dir() else None
    at = (by.parent / name).resolve()
    candidates = (at, at.with_name(f"{at.name}.js"), at.with_name(f"{at.name}.json"), at / "index.js")
    return next((each for each in candidates if each.is_file()), None)


def _main(package: Path) -> Path:
    """Where a package begins, in a browser where it makes a difference."""
    told = json.loads((package / "package.json").read_text())
    main = told["browser"] if isinstance(told.get("browser"), str) else told.get("main", "index.js")
    at = (package / main).resolve()
    return next(each for each in (at, at.with_name(f"{at.name}.js"), at / "index.js") if each.is_file())
