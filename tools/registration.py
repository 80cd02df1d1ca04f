"""What the register-* tools share: checking the runtime, and changing a file of the host so that nothing is lost.

Used by tools/register-docker, register-containerd and register-podman.  Python standard library alone.
"""
import argparse
import contextlib
import difflib
import os
import re
import stat
import subprocess
import sys
import tempfile
import time

DEFAULT_NAME = "brig"
DEFAULT_PATH = "/usr/local/bin/brig"


class RegistrationError(Exception):
    """Words for the operator: what is wrong, and what to do about it."""


def make_parser(description, example, default_config, config_help):
    parser = argparse.ArgumentParser(description=description, epilog=f"example:\n{example}",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default=DEFAULT_NAME, help="name of the runtime (default: %(default)s)")
    parser.add_argument("--path", default=DEFAULT_PATH, help="where the binary is (default: %(default)s)")
    parser.add_argument("--policy", metavar="NAME", help="register brig-NAME, a link beside the binary: its containers are "
                                                         "tightened by this policy (brig policy list)")
    parser.add_argument("--config", default=default_config, help=f"{config_help} (default: %(default)s)")
    parser.add_argument("--remove", action="store_true", help="take the entry out again")
    parser.add_argument("--dry-run", action="store_true", help="print what would change and change nothing")
    return parser


def check_name(name):
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise RegistrationError(f'"{name}" cannot be the name of a runtime: use letters, digits, "_", "." and "-"')


def choose_policy(options):
    """With --policy the entry is brig-NAME, whose binary is a link of that name: brig goes by the name it is called."""
    options.program = options.path
    if options.policy is None:
        return
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", options.policy):
        raise RegistrationError(f'"{options.policy}" cannot be the name of a policy: `brig policy list` shows those there are')
    if options.name == DEFAULT_NAME:
        options.name = f"{DEFAULT_NAME}-{options.policy}"
    options.path = os.path.join(os.path.dirname(options.program), f"brig-{options.policy}")


def prepare_runtime(options):
    """What the runtime says of itself, when its entry may be made.  With a policy the link is made, too."""
    words = check_runtime(options.program)
    if options.policy is None:
        return words
    answer = subprocess.run([options.program, "policy", "show", options.policy], stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, timeout=10, check=False)
    if answer.returncode != 0:
        raise RegistrationError(f"the policy {options.policy} cannot be used: {answer.stderr.strip()}")
    target = os.path.basename(options.program)
    if os.path.lexists(options.path) and not (os.path.islink(options.path) and os.readlink(options.path) == target):
        raise RegistrationError(f"{options.path} is there and is no link to {target}; move it away")
    if not options.dry_run and not os.path.lexists(options.path):
        try:
            os.symlink(target, options.path)
        except OSError as error:
            raise RegistrationError(f"{options.path} cannot be made: {error.strerror}; run this as root") from error
        print(f"link: {options.path} -> {target}")
    return words


def remove_link(options):
    """The other half of prepare_runtime, for --remove."""
    if options.policy is not None and not options.dry_run and os.path.islink(options.path):
        os.unlink(options.path)
        print(f"removed: {options.path}")


def check_runtime(path):
    """Refuse a path that would make every later `docker run` fail."""
    if not os.path.isabs(path):
        raise RegistrationError(f"{path}: the engine needs an absolute path, for example {os.path.abspath(path)}")
    if not os.path.isfile(path):
        raise RegistrationError(f"{path}: there is no such file; install brig first (make install) or name it with --path")
    if not os.access(path, os.X_OK):
        raise RegistrationError(f"{path} is not executable: chmod 755 {path}")
    try:
        answer = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RegistrationError(f"{path} --version does not run: {error}") from error
    if answer.returncode != 0 or "version" not in answer.stdout:
        said = (answer.stderr or answer.stdout).strip() or "nothing"
        raise RegistrationError(f"{path} --version exits with {answer.returncode} and says: {said}; is it brig?")
    return answer.stdout.splitlines()[0].strip()


def read_text(path):
    """The text of a file, or None when there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise RegistrationError(f"{path} is not UTF-8 text ({error}); nothing was changed") from error
    except OSError as error:
        raise RegistrationError(f"{path} cannot be read: {error.strerror}; nothing was changed") from error


def back_up(path):
    """Copy `path` beside itself under a name that no earlier backup has, with its mode and owner."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for number in range(1000):
        backup = f"{path}.brig-backup-{stamp}" + (f"-{number}" if number else "")
        if not os.path.lexists(backup):
            break
    with open(path, encoding="utf-8") as source:
        write_atomically(backup, source.read(), like=path)
    return backup


def write_atomically(path, text, like=None):
    """A reader sees the old file or the new one, also after a power cut.  Mode and owner come from `like` or `path`."""
    # A symlink stays one: configuration is often kept elsewhere and linked.
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    os.makedirs(folder, exist_ok=True)
    model = like or target
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{os.path.basename(target)}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if os.path.exists(model):
                facts = os.stat(model)
                os.fchown(file.fileno(), facts.st_uid, facts.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(facts.st_mode))
            else:
                os.fchmod(file.fileno(), 0o644)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_folder(folder)


def sync_folder(folder):
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def print_difference(path, before, after):
    sys.stdout.writelines(difflib.unified_diff((before or "").splitlines(True), (after or "").splitlines(True),
                                               path, f"{path} (new)"))


def apply_change(path, before, after, dry_run, keep_backup=True):
    """Make `path` hold `after` (None: remove it).  True when something was changed."""
    if dry_run:
        print_difference(path, before, after)
        print(f"dry run: {path} was not changed")
        return False
    try:
        if before is not None and keep_backup:
            print(f"backup: {back_up(path)}")
        if after is None:
            os.unlink(path)
            sync_folder(os.path.dirname(path))
        else:
            write_atomically(path, after)
    except PermissionError as error:
        raise RegistrationError(f"{error.filename or path}: {error.strerror}; run this as root") from error
    except OSError as error:
        raise RegistrationError(f"{path} cannot be written: {error.strerror}") from error
    return True


def run_tool(program, action):
    """Exit status of a tool: an error becomes one line on stderr and 1."""
    try:
        return action() or 0
    except RegistrationError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
