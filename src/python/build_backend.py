"""Builds the wheel with CMake, for pip (PEP 517). It needs no package of Python.

config setting `build-dir`: a build folder that is already configured, for example build/release.
Without, build/wheel-cmake is configured and built.
"""

import base64
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SETUP = "On Debian, `scripts/setup python` installs what the build needs."
# What is left out of a source distribution: hidden files and builds.
LEFT_OUT = re.compile(r"\.(?!clang-format$).*|build|__pycache__")


def _project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listing = (ROOT / "CMakeLists.txt").read_text()
    project["version"] = re.search(r"project\(pqw VERSION ([\d.]+)", listing)[1]
    return project


def _run(*command):
    try:
        done = subprocess.run([*map(str, command)], cwd=ROOT, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        sys.exit(f"{command[0]} is missing: {SETUP}")
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\n{' '.join(map(str, command))} failed. {SETUP}")


def _build(settings):
    """The build folder, with the package built."""
    given = (settings or {}).get("build-dir")
    folder = ROOT / (given or "build/wheel-cmake")
    if given:
        _run("cmake", "-DPQW_BUILD_PYTHON=ON", folder)
    else:
        _run("cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
             "-DPQW_BUILD_PYTHON=ON", "-DPQW_BUILD_TESTS=OFF", "-DPQW_BUILD_BENCH=OFF",
             "-DPQW_WERROR=OFF",  # other compilers warn of other things
             f"-DPython_EXECUTABLE={sys.executable}")
    _run("cmake", "--build", folder, "--target", "pqw_python", "pqw")
    return folder


def _install(build, to):
    """The package as the wheel has it, below `to`."""
    staging = to / "staging"
    _run("cmake", "--install", build, "--prefix", staging, "--component", "python", "--strip")
    package = next(staging.rglob("pqw/__init__.py")).parent
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    if not (package / f"_native{suffix}").exists():
        sys.exit(f"{build} was made for another Python: it has no pqw/_native{suffix}")
    return package


def _metadata(project):
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}",
             f"Summary: {project['description']}", f"License: {project['license']['text']}",
             f"Requires-Python: {project['requires-python']}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in project["dependencies"]]
    lines += ["Description-Content-Type: text/markdown", "", (ROOT / project["readme"]).read_text()]
    return "\n".join(lines)


def _tag():
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return f"{python}-{python}-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def _write_wheel(path, files):
    """A zip of name -> (bytes, whether it is executable), without times, and their RECORD."""
    record = []
    info_folder = next(name for name in files if name.endswith("/METADATA")).rpartition("/")[0]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        def add(name, data, executable=False):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755 if executable else 0o100644) << 16  # a file
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data)

        for name, (data, executable) in sorted(files.items()):
            add(name, data, executable)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(data)}")
        record.append(f"{info_folder}/RECORD,,")
        add(f"{info_folder}/RECORD", "\n".join(record) + "\n")


def _name(project):
    return f"{project['name']}-{project['version']}"


def _info_files(project):
    """Name in the wheel -> text of the files about the package."""
    info = f"{_name(project)}.dist-info"
    scripts = "".join(f"{key} = {value}\n" for key, value in project["scripts"].items())
    return {
        f"{info}/METADATA": _metadata(project),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: pqw\nRoot-Is-Purelib: false\n"
                         f"Tag: {_tag()}\n",
        f"{info}/LICENSE": (ROOT / "LICENSE").read_text(),
        f"{info}/entry_points.txt": f"[console_scripts]\n{scripts}",
    }


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """What pip asks first: without it, pip would build the package to learn its version."""
    files = _info_files(_project())
    for name, text in files.items():
        path = pathlib.Path(metadata_directory) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return path.parent.name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    project = _project()
    files = {key: (text.encode(), False) for key, text in _info_files(project).items()}
    with tempfile.TemporaryDirectory() as folder:
        package = _install(_build(config_settings), pathlib.Path(folder))
        for path in sorted(package.rglob("*")):
            if path.is_file():
                place = path.relative_to(package.parent).as_posix()
                files[place] = (path.read_bytes(), os.access(path, os.X_OK))
    wheel = f"{_name(project)}-{_tag()}.whl"
    _write_wheel(pathlib.Path(wheel_directory) / wheel, files)
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    project = _project()
    name = _name(project)
    path = pathlib.Path(sdist_directory) / f"{name}.tar.gz"

    def wanted(entry):
        return None if LEFT_OUT.fullmatch(pathlib.PurePath(entry.name).name) else entry

    with tempfile.TemporaryDirectory() as folder, tarfile.open(path, "w:gz") as archive:
        info = pathlib.Path(folder) / "PKG-INFO"
        info.write_text(_metadata(project))
        archive.add(info, f"{name}/PKG-INFO")
        for item in sorted(ROOT.iterdir()):
            archive.add(item, f"{name}/{item.name}", filter=wanted)
    return path.name
