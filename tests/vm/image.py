"""The kernel and the initramfs of the test machine, made without root.

The kernel is Debian's cloud kernel, fetched and unpacked, never installed. The initramfs is two archives in a row, which
the kernel unpacks one after the other: the system (static busybox, Python, pytest and what they need, copied from the
packages installed here), which is kept until these packages change, and farmd with its tests, made anew each time.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "vm"
BUILD = ROOT / os.environ.get("BUILD_DIR", "build")

KERNEL = "linux-image-cloud-amd64"
# All else that is needed is built into it.
MODULES = ("brd.ko",)
# What the cases use besides busybox; what these depend on comes along.
SYSTEM_PACKAGES = ("python3-minimal", "libpython3-stdlib", "python3-pytest", "python3-jsonschema", "util-linux", "dash")
# Wanted by a package's description, not by what runs here.
NOT_NEEDED = {
    "debconf", "dpkg", "install-info", "libpam-modules", "libpam-modules-bin", "libpam-runtime", "media-types", "perl-base",
    "python3-pkg-resources", "python3-setuptools", "tar", "tzdata", "libdb5.3", "readline-common", "mime-support",
    "sensible-utils", "ucf", "lsb-base", "sysvinit-utils", "gcc-12-base", "util-linux-extra", "libsystemd0",
}
# Folders that nobody reads in there.
NOT_COPIED = re.compile(
    r"/usr/share/(doc|man|locale|lintian|bash-completion|info|perl|python3|bug|polkit-1)/|/usr/lib/x86_64-linux-gnu/gconv/"
    r"|/python3\.\d+/(test|idlelib|tkinter|lib2to3|ensurepip|pydoc_data|distutils|config-[^/]*)/|/etc/(pam\.d|init\.d)/"
)
LIBRARY = re.compile(r"=> (/\S+)|^\s+(/\S*ld-linux\S*)", re.M)


def output_of(*command, **kwargs):
    return subprocess.run(command, check=True, capture_output=True, text=True, **kwargs).stdout


def fresh(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


# --- kernel ---


def fetch(package, directory, apt):
    """A package's archive in `directory`; nothing is installed. None when apt has it no longer or not yet."""
    result = subprocess.run([*apt, "download", "-q", package], cwd=directory, capture_output=True, text=True)
    return next(directory.glob(f"{package}_*.deb")) if result.returncode == 0 else None


def own_lists():
    """apt with package lists of its own, fetched now: the machine's may be missing or too old, and are not ours."""
    place = fresh(CACHE / "apt")
    (place / "lists").mkdir()
    apt = ["apt-get", "-o", f"Dir::State::Lists={place}/lists", "-o", f"Dir::Cache={place}", "-o", "APT::Sandbox::User="]
    done = subprocess.run([*apt, "update", "-q"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"vm: apt-get update failed: {done.stderr.strip()}")
    return apt


def kernel_package(apt):
    told = subprocess.run(["apt-cache", *apt[1:], "depends", "--important", KERNEL], capture_output=True, text=True).stdout
    found = re.search(r"Depends: (linux-image-\S+)", told)
    return found and found[1]


def fetch_kernel(directory):
    for apt in (lambda: ["apt-get"], own_lists):
        options = apt()
        package = kernel_package(options)
        archive = package and fetch(package, directory, options)
        if archive:
            return archive
    raise SystemExit(f"vm: apt has no {KERNEL} to fetch; set FARMD_VM_KERNEL to a kernel with its drivers built in")


def kernel():
    """The kernel's file. FARMD_VM_KERNEL names another one, for machines whose apt has no such package."""
    if os.environ.get("FARMD_VM_KERNEL"):
        return pathlib.Path(os.environ["FARMD_VM_KERNEL"])
    link = CACHE / "vmlinuz"
    if not (link.exists() and all((CACHE / name).exists() for name in MODULES)):
        CACHE.mkdir(parents=True, exist_ok=True)
        directory = fresh(CACHE / "kernel")
        archive = fetch_kernel(directory)
        subprocess.run(["dpkg-deb", "-x", str(archive), str(directory)], check=True)
        archive.unlink()
        for name in MODULES:
            shutil.copy(next((directory / "lib").rglob(name)), CACHE / name)
        shutil.rmtree(directory / "lib")
        link.unlink(missing_ok=True)
        link.symlink_to(next((directory / "boot").glob("vmlinuz-*")).relative_to(CACHE))
    return link


# --- system ---


def dependencies(roots):
    """The installed packages that these need, themselves included."""
    found, waiting = {}, list(roots)
    form = "${Package}\t${Version}\t${Depends}, ${Pre-Depends}\n"
    while waiting:
        names = [name for name in waiting if name not in found and name not in NOT_NEEDED]
        waiting = []
        if not names:
            break
        # A name that only a group of alternatives has makes dpkg-query fail; the others are told all the same.
        told = subprocess.run(["dpkg-query", "-W", "-f", form, *names], capture_output=True, text=True).stdout
        for line in told.splitlines():
            name, version, needs = line.split("\t")
            found[name] = version
            waiting += [part.split()[0].split(":")[0] for part in re.split(r"[,|]", needs) if part.strip()]
        for name in names:
            found.setdefault(name, "")
    return {name: version for name, version in found.items() if version}


def files_of(packages):
    listing = output_of("dpkg", "-L", *packages)
    return sorted({line for line in listing.splitlines() if line.startswith("/") and line != "/."})


def place(source, target):
    """One file or link below the new root; a link's target comes from its own package."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        return
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    else:
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def libraries(program):
    """The shared libraries of a program, as the loader here finds them."""
    told = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
    return [one or other for one, other in LIBRARY.findall(told)]


def place_libraries(program, root):
    for library in libraries(program):
        place(os.path.realpath(library), root / library.lstrip("/"))


def lay_out(root):
    for name in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "proc", "sys", "dev", "run", "tmp", "root", "var/lib"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nfarmer:x:1000:1000::/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\nfarmer:x:1000:\nnogroup:x:65534:\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (root / "etc/hostname").write_text("farmd-vm\n")


def place_busybox(root):
    """Its programs as links, where no package brought the real one."""
    source = shutil.which("busybox") or "/bin/busybox"
    target = root / "usr/bin/busybox"
    place(os.path.realpath(source), target)
    for applet in output_of(source, "--list").split():
        for folder in ("usr/bin", "usr/sbin"):
            if os.path.lexists(root / folder / applet):
                break
        else:
            (root / "usr/bin" / applet).symlink_to("busybox")


def archive(root, target):
    """A cpio archive in which everything belongs to root."""
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    partial = target.with_suffix(".partial")
    with open(partial, "wb") as out:
        subprocess.run(
            ["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=root, check=True, stdout=out,
            input="\n".join(names).encode(),
        )
    partial.rename(target)


def compiled(root):
    """Python's own files compiled here: emulated, it would take longer than many a case."""
    for folder in [*(root / "usr/lib").glob("python3*"), root / "farmd"]:
        if folder.exists():
            subprocess.run(
                ["/usr/bin/python3", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash",
                 "-s", str(root), str(folder)], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )


def system():
    packages = dependencies(SYSTEM_PACKAGES)
    busybox = os.path.realpath(shutil.which("busybox") or "/bin/busybox")
    key = hashlib.sha256(repr((sorted(packages.items()), pathlib.Path(__file__).read_bytes(), os.stat(busybox).st_mtime))
                         .encode()).hexdigest()
    target, mark = CACHE / "system.cpio", CACHE / "system.key"
    if target.exists() and mark.exists() and mark.read_text() == key:
        return target
    root = fresh(CACHE / "system")
    lay_out(root)
    for name in files_of(packages):
        inside = name if name.startswith("/usr/") else re.sub(r"^/(bin|sbin|lib|lib64)/", r"/usr/\1/", name)
        if not NOT_COPIED.search(name) and not name.endswith(".a") and (os.path.islink(name) or os.path.isfile(name)):
            if inside.startswith(("/usr/", "/etc/ld")):
                place(name, root / inside.lstrip("/"))
    place_libraries("/usr/bin/python3", root)
    place_busybox(root)
    compiled(root)
    archive(root, target)
    shutil.rmtree(root)
    mark.write_text(key)
    return target


# --- farmd and its tests ---


def place_tree(name, root):
    """A folder of the working tree without what it generated."""
    shutil.copytree(ROOT / name, root / "farmd" / name, ignore=shutil.ignore_patterns("__pycache__", "*.o", "*.d"))


def product(programs):
    """farmd, its worker, its tests and what else of the build these need."""
    root = fresh(CACHE / "product")
    (root / "farmd/build").mkdir(parents=True)
    for program in ("farmd", "farm-worker", *programs):
        target = root / "farmd/build" / program
        place(BUILD / program, target)
        subprocess.run(["strip", "-g", str(target)], check=False)
        place_libraries(BUILD / program, root)
    # The system's archive has its folders as links; a folder of this name would take their place.
    for name in ("lib", "lib64"):
        if (root / name).exists():
            shutil.copytree(root / name, root / "usr" / name, dirs_exist_ok=True)
            shutil.rmtree(root / name)
    for name in ("tests/integration", "tests/vm"):
        place_tree(name, root)
    (root / "farmd/docs").mkdir()
    shutil.copy(ROOT / "docs/openapi.json", root / "farmd/docs")
    compiled(root)
    for name in MODULES:
        if (CACHE / name).exists():
            place(CACHE / name, root / "usr/lib/modules" / name)
    place(ROOT / "tests/vm/init", root / "init")
    (root / "init").chmod(0o755)
    target = CACHE / "product.cpio"
    archive(root, target)
    shutil.rmtree(root)
    return target


def initramfs(programs=()):
    CACHE.mkdir(parents=True, exist_ok=True)
    target = CACHE / "initramfs.cpio"
    with open(target, "wb") as out:
        for part in (system(), product(programs)):
            data = part.read_bytes()
            out.write(data + b"\0" * (-len(data) % 512))
    return target

