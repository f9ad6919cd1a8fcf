"""Every error Holdfast raises on purpose.

An error class is a stable `code` (kebab-case, with a page in `docs/errors/`), an exit status, a message
template of one clause naming object and cause, and a hint saying what to do next. Instances carry only a
`context` of named values, so that the same error can be rendered in any language and as JSON. A context
never holds a secret.

The tree has separate branches for reading the thing being backed up (`SourceError`) and for the place that
keeps backups (`TargetError`): a handler meant for one can never swallow the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self


class ExitCode:
    """Exit statuses of every command (a superset of restic's)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 3
    DAMAGED = 4
    OBJECTIVE_MISSED = 5
    NO_REPOSITORY = 10
    LOCKED = 11
    WRONG_PASSWORD = 12
    INTERRUPTED = 130


class HoldfastError(Exception):
    """Root of all errors raised on purpose.

    Attributes:
        code: stable kebab-case name, always English.
        exit_code: the process exit status this error leads to.
        transient: whether repeating the same call may succeed.
        message: English template with named placeholders, filled from `context`.
        hint: English template of the next step.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = ExitCode.FAILED
    transient: ClassVar[bool] = False
    message: ClassVar[str] = "{detail}"
    hint: ClassVar[str] = ""

    def __init__(self, **context: object) -> None:
        self.context = context
        super().__init__(self.message.format_map(_Context(context)))

    @property
    def phrase(self) -> Phrase:
        """The message with its values, for another sentence or a report to hold."""
        return Phrase(self.message, self.context)

    def __reduce__(self) -> tuple[object, ...]:
        """Lets an error of a worker process arrive as what it is; the context must be picklable."""
        return _rebuilt, (type(self), self.context)


def _rebuilt(kind: type[HoldfastError], context: dict[str, object]) -> HoldfastError:
    return kind(**context)


class Phrase(str):
    """A sentence, or part of one, that carries values: it reads in English and can still be translated.

    What keeps text without showing it (a report, a log, a record) takes it for the English sentence it is; the
    terminal renders template and values in the person's language.

    Attributes:
        template: English, with named placeholders.
        values: what stands for them; those that are phrases are translated with the template.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, values: Mapping[str, object]) -> Self:
        made = super().__new__(cls, template.format_map(_Context(values)))
        made.template, made.values = template, values
        return made

    def __getnewargs__(self) -> tuple[str, Mapping[str, object]]:  # type: ignore[override]
        """Lets a phrase cross to another process as what it is; the values must be picklable."""
        return self.template, self.values


def joined(separator: str, parts: Sequence[str]) -> Phrase:
    """Several phrases as one, with what stands between them."""
    values = {"part" + "_" * number: part for number, part in enumerate(parts)}
    return Phrase(separator.join(f"{{{name}}}" for name in values), values)


def english(value: object) -> str:
    """Encodes a phrase as its English sentence: the hook of every encoder that may meet one.

    Raises:
        NotImplementedError: it is no phrase.
    """
    if isinstance(value, Phrase):
        return str(value)
    raise NotImplementedError(f"nobody said how a {type(value).__name__} is encoded")


def _in_words(context: Mapping[str, object], *names: str) -> dict[str, object]:
    """The context with values that are words of ours, not names, as phrases: they are translated with the sentence."""
    return {
        name: Phrase(value, {}) if name in names and isinstance(value, str) and not isinstance(value, Phrase) else value
        for name, value in context.items()
    }


class _Context(dict[str, object]):
    """Renders a missing placeholder as its own name instead of failing while reporting a failure."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


# --- usage ---------------------------------------------------------------------------------------


class UsageError(HoldfastError):
    """The request itself is wrong; nothing was attempted."""

    code = "usage"
    exit_code = ExitCode.USAGE
    message = "{detail}"
    hint = "Run the command with --help to see what it takes."


class CommandLineRefused(UsageError):
    """The command line does not say what to do in a way that the command takes."""

    message = "{detail}"
    hint = "Run `{command} --help` to see what it takes."


class RepositoryNotNamed(UsageError):
    """A command needs a repository and none was named."""

    code = "repository-not-named"
    message = "no repository was named"
    hint = "Name one with --repo, --repository-file or the variable HOLDFAST_REPOSITORY."


class RepositoryFileUnreadable(UsageError):
    """The file that should name the repository does not."""

    code = "repository-file-unreadable"
    message = "cannot read the location of the repository from {path}: {reason}"
    hint = "Write the location, alone, into that file."


class PasswordMissing(UsageError):
    """No password was given and nobody can be asked."""

    code = "password-missing"
    message = "no password was given for the repository"
    hint = "Give one with --password-file, --password-command or the variable HOLDFAST_PASSWORD."


class EmptyPassword(UsageError):
    """An empty password protects nothing and is refused unless asked for."""

    code = "empty-password"
    message = "the password is empty"
    hint = "Give a password, or --insecure-no-password if the repository is to be readable by everybody."


class PasswordsDiffer(UsageError):
    """A new password was typed differently the second time."""

    code = "passwords-differ"
    message = "the two passwords typed are not the same"
    hint = "Run the command again and type the new password twice."


class ContradictoryOptions(UsageError):
    """Two options exclude each other."""

    code = "contradictory-options"
    message = "{first} and {second} cannot be used together"
    hint = "Leave one of them out."


class PasswordUnavailable(UsageError):
    """A password file, command or variable that was named gives no password."""

    code = "password-unavailable"
    message = "cannot read the password from {origin}: {reason}"
    hint = "Check the password file, command or environment variable."


class InvalidDuration(UsageError):
    """A duration is not written as years, months, days and hours."""

    code = "invalid-duration"
    message = "{text} is not a duration"
    hint = "Write years, months, days and hours, such as 1y5m7d2h."


class InvalidGrouping(UsageError):
    """Snapshots cannot be grouped by this."""

    code = "invalid-grouping"
    message = "snapshots cannot be grouped by {text}"
    hint = "Group by any of host, paths and tags, separated by commas."


class InvalidPattern(UsageError):
    """An include or exclude pattern is malformed."""

    code = "invalid-pattern"
    message = "pattern {pattern} is malformed: {reason}"
    hint = "Close every `[` with `]`, and put `\\` only before the character it protects."


class KeyInUse(UsageError):
    """The key asked to be removed is the one that opened the repository."""

    code = "key-in-use"
    message = "key {key} is the one in use and was not removed"
    hint = "Open the repository with another key to remove this one."


class ConfigNotFound(UsageError):
    """No configuration was found."""

    code = "config-not-found"
    message = "there is no holdfast.toml in {directory} or above it"
    hint = "Run `holdfast init` in the folder of the application, or name a file with --config."


class ConfigInvalid(UsageError):
    """The configuration says something that cannot be."""

    code = "config-invalid"
    message = "{path}, line {line}: {key}: {reason}"
    hint = "Correct the line; `holdfast config check` names everything that is wrong at once."


class ConfigUnreadable(UsageError):
    """The configuration file cannot be read."""

    code = "config-unreadable"
    message = "cannot read the configuration {path}: {reason}"
    hint = "Check that the file is there, that this user may read it, and that it is UTF-8 text."


class ConfigExists(UsageError):
    """`init` would have replaced a configuration."""

    code = "config-exists"
    message = "{path} is there already"
    hint = "Edit it, or move it away and run `holdfast init` again; nothing was changed."


class UnknownName(UsageError):
    """A source, target, policy, table or environment is named that does not exist."""

    code = "unknown-name"
    message = "there is no {what} named {name} (there is: {known})"
    hint = "Use one of the names that are there, or add it to holdfast.toml."

    def __init__(self, **context: object) -> None:
        words = ("what", "known") if context.get("known") == "none" else ("what",)
        super().__init__(**_in_words(context, *words))


class InvalidTime(UsageError):
    """A moment is written in a way nobody understands."""

    code = "invalid-time"
    message = "{text!r} is not a time"
    hint = "Write it like 2026-01-31T23:59:00Z, 2026-01-31, or 36h for that long ago."


class BackupIdInvalid(UsageError):
    """What should name a backup cannot be a name of one."""

    code = "backup-id-invalid"
    message = "{text!r} is neither the id of a backup nor a path"
    hint = "Run `holdfast list` to see the ids; `latest` is the newest."


class NothingToDo(UsageError):
    """No source fits what was asked for."""

    code = "nothing-to-do"
    message = "there is nothing to back up: {reason}"
    hint = "Name other sources, another type, or add sources to holdfast.toml."


class ConfirmationNeeded(UsageError):
    """A command that changes or deletes things runs without a terminal and without --yes."""

    code = "confirmation-needed"
    message = "nobody can be asked whether to {action}"
    hint = "Look at the plan with --dry-run, then give --yes."


class NoBase(UsageError):
    """An archive has no backup that changes could be compared with."""

    code = "no-base"
    message = "an incremental backup in {target} has nothing to build on: {reason}"
    hint = "Make a full backup first: `holdfast create --type full`."


class Interrupted(HoldfastError):
    """The operation was cancelled by the caller or by a signal."""

    code = "interrupted"
    exit_code = ExitCode.INTERRUPTED
    message = "the operation was interrupted"
    hint = "Nothing committed was lost; run the command again to continue."


class InternalError(HoldfastError):
    """Something that should not happen did: a defect of this program or of the machine."""

    code = "internal-error"
    message = "the command stopped on an unexpected error: {kind}: {reason}"
    hint = "Run it again with --debug and report what it prints."


class MachineFailed(HoldfastError):
    """The system refused what the program cannot do without: room, permission, memory, a disk that works."""

    code = "machine-failed"
    message = "the system refused what this program needs: {reason}"
    hint = "Look at free space, permissions and the disk itself, then run the command again: nothing committed is lost."


class OutputFailed(HoldfastError):
    """What a command had to say could not be written to standard output."""

    code = "output-failed"
    message = "the result could not be written to standard output: {reason}"
    hint = "Make room where the output goes; look at what was done before you run the command again."


class WorkerKilled(HoldfastError):
    """A process that helped with the work was ended from outside."""

    code = "worker-killed"
    message = "a worker process was killed, perhaps because the machine ran out of memory"
    hint = "Nothing was committed. Look into the system's log (dmesg), free memory, and run the command again."


# --- the thing being backed up ---------------------------------------------------------------------


class SourceError(HoldfastError):
    """Something that should be backed up could not be read."""

    code = "source"
    message = "cannot read {path}: {reason}"
    hint = "Check that the path exists and that this user may read it."


class SourceCommandFailed(SourceError):
    """A command whose output was to be backed up did not succeed; no snapshot was made of what it printed."""

    code = "source-command"
    message = "the output of {path} was not backed up: {reason}"
    hint = "Run the command by hand to see why it fails; nothing was committed."


class SourceMissing(SourceError):
    """What a source names does not exist."""

    code = "source-missing"
    message = "source {source}: {path} is not there"
    hint = "Check the path in holdfast.toml; a disk that is not mounted looks like this too."


class SourceDamaged(SourceError):
    """A database does not pass its own integrity check."""

    code = "source-damaged"
    message = "source {source} is damaged: {reason}"
    hint = "Nothing was committed. Restore the newest good backup or repair the database, then back up again."


class SourceEmptied(SourceError):
    """A source that had tables or files has none any more: emptied, or its disk is not mounted."""

    code = "source-emptied"
    message = "source {source} is empty now: {reason}"
    hint = "Nothing was committed. Mount its disk or restore it; if it is meant so, add --accept-empty {source}."


class SourceBusy(SourceError):
    """Another process keeps a database locked."""

    code = "source-busy"
    transient = True
    message = "source {source} stayed locked for {seconds} s"
    hint = "Find what holds it for so long, or raise busy_timeout in holdfast.toml."


class DatabaseUnavailable(SourceError):
    """A database server cannot be reached or refuses to talk."""

    code = "database-unavailable"
    message = "Database connection failed: source {source}: {reason}"
    hint = "Check the database settings in holdfast.toml, and that the server runs and lets this user in."


class ToolMissing(SourceError):
    """A program that dumps or loads is not there."""

    code = "tool-missing"
    message = "source {source} needs the program {tool}, which is not installed"
    hint = "Install it (Debian: apt-get install {package}), or name its folder with tools in holdfast.toml."


class ToolVersionMismatch(SourceError):
    """Client tools are older than the server, or not what they claim to be."""

    code = "tool-version"
    message = "source {source}: {tool} {client} does not fit server {server}"
    hint = "Install client tools at least as new as the server; nothing was dumped."


class DumpFailed(SourceError):
    """A program that dumps ended with an error, or was ended."""

    code = "dump-failed"
    message = "the dump of source {source} failed: {reason}"
    hint = "Nothing was committed. Run `holdfast doctor`, put right what it says, and back up again."


class DumpIncomplete(SourceError):
    """A dump lacks its end, rows or tables, although the program may have reported success."""

    code = "dump-incomplete"
    message = "the dump of source {source} is not whole: {reason}"
    hint = "Nothing was committed, whatever the program said. Check the server's log and the program."


class DumpStalled(SourceError):
    """A program that dumps hangs."""

    code = "dump-stalled"
    message = "the dump of source {source} gave nothing for {seconds} s"
    hint = "Nothing was committed. See what the server waits for, or raise timeout in holdfast.toml."


class NameRefused(SourceError):
    """A name in a database could be taken for an option or a command."""

    code = "name-refused"
    message = "source {source}: the name {name!r} cannot be passed on safely"
    hint = "Rename the object, or back it up with a source of kind command."


# --- where a restore writes ------------------------------------------------------------------------


class RestoreError(HoldfastError):
    """A restored file could not be written."""

    code = "restore"
    message = "cannot restore {path}: {reason}"
    hint = "Check free space and permissions of the restore target, then restore again."


class RestoreImpossible(RestoreError):
    """The restore target takes nothing more: it is full or read-only. The restore stops."""

    code = "restore-impossible"
    message = "the restore stopped at {path}: {reason}"
    hint = "Make room in the restore target or choose another one; restoring again goes on where this stopped."


class RestoreIncomplete(RestoreError):
    """A restore went to its end, but some items could not be written."""

    code = "restore-incomplete"
    message = "part of snapshot {snapshot} could not be restored (items: {count})"
    hint = "See the list above; fix the cause and restore again: what is already right is not fetched again."


class UnsafePath(RestoreError):
    """A name or link in the snapshot would lead outside the restore target."""

    code = "unsafe-path"
    exit_code = ExitCode.DAMAGED
    message = "refused to restore {path}: {reason}"
    hint = "The snapshot or the target directory may have been tampered with; inspect both before going on."


class RestoreRefused(RestoreError):
    """A restore would mix with or overwrite something that was not named."""

    code = "restore-refused"
    message = "refused to restore to {destination}: {reason}"
    hint = "Choose an empty destination with --to, or restore in place; nothing was changed."


class DestinationBusy(RestoreError):
    """Somebody works with what a restore would replace."""

    code = "destination-busy"
    message = "{destination} is in use: {reason}"
    hint = "Stop the application, or name hooks that do, and restore again; nothing was changed."


class RestoreNeedsSpace(RestoreError):
    """A restore would not fit, safety copies included."""

    code = "restore-not-enough-space"
    message = "Not enough disk space for restore: {needed} needed, {available} available at {directory}"
    hint = "Make room there, or restore elsewhere with --to; nothing was changed."


class LoadFailed(RestoreError):
    """A database did not take what was restored."""

    code = "load-failed"
    message = "loading into {destination} failed: {reason}"
    hint = "The destination is as it was. Put right what is named and restore again."


class RestoreMismatch(RestoreError):
    """What was restored was counted or read and is not what it should be."""

    code = "restore-mismatch"
    exit_code = ExitCode.DAMAGED
    message = "{destination} does not hold what the backup holds: {reason}"
    hint = "The former state is kept; see the report. Verify the backup, then restore again."


class HookFailed(HoldfastError):
    """A command around a run did not succeed."""

    code = "hook-failed"
    message = "hook {hook} failed: {reason}"
    hint = "Run the command of the hook by hand; what was not reached yet was not done."


# --- the place that keeps backups -------------------------------------------------------------------


class TargetError(HoldfastError):
    """A place that keeps backups failed; never to be downgraded to a warning."""

    code = "target"
    message = "{detail}"


class BackendError(TargetError):
    """The storage under a target did not do what was asked."""

    code = "backend"
    message = "storage {url} failed on {object}: {reason}"
    hint = "Check the storage and its logs, then run the command again."


class BackendUnavailable(BackendError):
    """A passing failure: connection lost, timeout, throttled, server error."""

    code = "backend-unavailable"
    transient = True
    message = "storage {url} is not reachable for {object}: {reason}"
    hint = "Check the network and the storage service, then run the command again."


class ObjectNotFound(BackendError):
    """The named object is not in the storage."""

    code = "object-not-found"
    message = "{object} is not in storage {url}"
    hint = "Run `holdfast repo check` to see what else is missing."


class ObjectExists(BackendError):
    """The object may be created only once and is already there."""

    code = "object-exists"
    message = "{object} already exists in storage {url}"
    hint = "Choose another location, or use the repository that is already there."


class AccessDenied(BackendError):
    """The storage refused the operation for these credentials."""

    code = "access-denied"
    message = "storage {url} denied access to {object}: {reason}"
    hint = "Give these credentials the permission named above, or use others."


class OutOfSpace(BackendError):
    """The storage is full (bytes, inodes or quota)."""

    code = "out-of-space"
    message = "no space left in storage {url} while writing {object}"
    hint = "Free some space or enlarge the storage; earlier backups are intact."


class ShortRead(BackendError):
    """The storage returned fewer bytes than it holds or than were asked for."""

    code = "short-read"
    transient = True
    message = "storage {url} returned {got} of {wanted} bytes of {object}"
    hint = "Run `holdfast repo check --read-data` to see whether the object is truncated."


class BackendReadOnly(BackendError):
    """A write was asked of a storage opened for reading only."""

    code = "backend-read-only"
    message = "storage {url} was opened read-only, so {object} was not written"
    hint = "Run the command without the read-only option."


class RepositoryNotFound(TargetError):
    """There is no repository at the location."""

    code = "no-repository"
    exit_code = ExitCode.NO_REPOSITORY
    message = "there is no repository at {url}"
    hint = "Check the location. `holdfast create` makes the repository of a target, `holdfast repo init` any other."


class RepositoryExists(TargetError):
    """`init` found a repository already in place."""

    code = "repository-exists"
    message = "there is already a repository at {url}"
    hint = "Use it as it is, or choose an empty location."


class WrongPassword(TargetError):
    """No key of the repository opens with the password."""

    code = "wrong-password"
    exit_code = ExitCode.WRONG_PASSWORD
    message = "the password opens none of the {keys} keys of repository {url}"
    hint = "Check the password; `holdfast repo key list` with a working password shows who owns each key."


class KeyParametersRefused(TargetError):
    """A key file asks for a key derivation that is too weak or would exhaust memory."""

    code = "key-parameters-refused"
    exit_code = ExitCode.WRONG_PASSWORD
    message = "key {key} was not tried: its scrypt parameters {parameters} are out of bounds"
    hint = "The key file may have been tampered with; open the repository with another key and remove this one."


class WeakKeyParameters(UsageError):
    """A new key was to be made with a key derivation that is too cheap to protect it."""

    code = "weak-key-parameters"
    message = "no key was made: the scrypt parameters {parameters} are too weak"
    hint = "Use the default parameters, or at least N=16384 and r=8."


class RepositoryLocked(TargetError):
    """Another process holds a conflicting lock."""

    code = "locked"
    exit_code = ExitCode.LOCKED
    message = "repository {url} is locked by {holder} since {since}"
    hint = "Wait for that process, use --retry-lock, or run `holdfast repo unlock` if it is gone."


class LockLost(TargetError):
    """Our own lock disappeared or could not be refreshed in time; the operation stopped before committing."""

    code = "lock-lost"
    exit_code = ExitCode.LOCKED
    message = "the lock on repository {url} was lost: {reason}"
    hint = "Nothing was committed after the loss; run the command again."


class SnapshotNotFound(TargetError):
    """No snapshot, or more than one, matches what was asked for."""

    code = "snapshot-not-found"
    message = "no snapshot matches {wanted}: {reason}"
    hint = "Run `holdfast repo snapshots` to see what there is."


class PathNotFound(TargetError):
    """The snapshot does not contain the path."""

    code = "path-not-found"
    message = "{path} is not in snapshot {snapshot}"
    hint = "Run `holdfast repo ls {snapshot}` to see what it contains."


class NameNotFound(TargetError):
    """No object of the repository, or more than one, has a name like the one given."""

    code = "name-not-found"
    message = "no {kind} matches {wanted}: {reason}"
    hint = "Run `holdfast repo list` to see what there is."


class RemovalIncomplete(TargetError):
    """A removal went to its end, but some files could not be deleted."""

    code = "removal-incomplete"
    exit_code = ExitCode.INCOMPLETE
    message = "some files of repository {url} could not be deleted (number: {count})"
    hint = "See the list above; fix the cause and run the command again."


class RetentionRefused(TargetError):
    """A removal was refused because it would drop more than the policy may drop."""

    code = "retention-refused"
    exit_code = ExitCode.USAGE
    message = "nothing was removed: {reason}"
    hint = "Give at least one --keep option, or name the snapshots to remove."


class ConfigNotRestored(TargetError):
    """An upgrade failed after the config was deleted, and the former config could not be put back either."""

    code = "config-not-restored"
    message = "the config of repository {url} could not be written again: {reason}; a copy of it is in {path}"
    hint = "Put the copy back as the file `config` at the top of the repository before anything else."


class PruneRefused(TargetError):
    """Prune stopped before deleting anything because the repository is not whole."""

    code = "prune-refused"
    exit_code = ExitCode.DAMAGED
    message = "prune removed nothing: {reason}"
    hint = "Run `holdfast repo check`, then `holdfast repo repair index`, and prune again."


# --- damage ----------------------------------------------------------------------------------------


class NotEnoughSpace(TargetError):
    """A backup would not fit into a target."""

    code = "not-enough-space"
    message = "Not enough disk space for backup: {needed} needed, {available} available in target {target}"
    hint = "Clean up space or add capacity, then back up again; nothing was committed."


class ArchiveNotWritten(TargetError):
    """The file of an archive could not be made."""

    code = "archive-not-written"
    message = "Cannot create {what} archive in target {target}: {reason}"
    hint = "Check the permissions and the free space of the target; nothing was committed there."


class BackupNotFound(TargetError):
    """A backup that was named does not exist."""

    code = "backup-not-found"
    message = "there is no backup {backup} in {target}"
    hint = "Run `holdfast list` to see what there is, and --from to look in another target."


class NoBackupYet(BackupNotFound):
    """There is no backup at all."""

    code = "no-backup-yet"
    message = "there are no backups in {target} yet"
    hint = "Make one with `holdfast create`. If there should be some, `holdfast doctor` says what it finds there."


class ComponentNotFound(TargetError):
    """A backup does not hold what should be restored from it."""

    code = "component-not-found"
    message = "backup {backup} has no component {component} (it has: {known})"
    hint = "Run `holdfast show {backup}` to see what it holds."


class BackupHeld(TargetError):
    """A held backup was to be deleted."""

    code = "backup-held"
    exit_code = ExitCode.USAGE
    message = "backup {backup} is held: {reason}"
    hint = "Release it first with `holdfast release {backup}`; nothing was deleted."


class LastGoodBackup(TargetError):
    """The newest verified backup was to be deleted."""

    code = "last-good-backup"
    exit_code = ExitCode.USAGE
    message = "backup {backup} is the newest verified one in {target}"
    hint = "Make and verify a newer one first; nothing was deleted."


class StillNeeded(TargetError):
    """A backup that others build on was to be deleted."""

    code = "still-needed"
    exit_code = ExitCode.USAGE
    message = "backup {backup} is the base of {dependent}"
    hint = "Delete the backups that build on it first; nothing was deleted."


class TargetsFailed(TargetError):
    """Some targets have a backup and others failed."""

    code = "targets-failed"
    exit_code = ExitCode.INCOMPLETE
    message = "backup {backup} is not in every target: {reason}"
    hint = "It is whole where it is. Put the other targets right and back up again; nothing was rotated."


class TargetToolMissing(TargetError):
    """A program or library that a target needs is not there."""

    code = "target-tool-missing"
    message = "target {target} needs {tool}, which is not installed"
    hint = "Install it: {package}."


class DecryptionFailed(TargetError):
    """An encrypted archive cannot be opened with what was given."""

    code = "decryption-failed"
    exit_code = ExitCode.WRONG_PASSWORD
    message = "cannot decrypt {path}: {reason}"
    hint = "Give the right passphrase or identity for target {target}."


class AppBusy(TargetError):
    """Two runs for one application at the same time."""

    code = "app-busy"
    exit_code = ExitCode.LOCKED
    message = "another run of {app} is at work: {holder}"
    hint = "Wait for it to end; it gives way by itself when its process ends."


class DamageError(TargetError):
    """Stored bytes are not what they should be."""

    code = "damaged"
    exit_code = ExitCode.DAMAGED
    message = "{object} is damaged: {reason}"
    hint = "Run `holdfast repo check --read-data` to find everything that is damaged."


class MacMismatch(DamageError):
    """The authentication code does not match: the bytes were changed or the key is another one."""

    code = "mac-mismatch"
    message = "{object} is damaged: its authentication code does not match"


class HashMismatch(DamageError):
    """The content does not hash to the name it is stored under."""

    code = "hash-mismatch"
    message = "{object} is damaged: its content hashes to {actual}"


class FormatError(DamageError):
    """A document or structure breaks the repository format."""

    code = "format"
    message = "{object} is malformed: {reason}"


class UnsupportedFormat(DamageError):
    """A repository version or feature this program does not read."""

    code = "unsupported-format"
    exit_code = ExitCode.FAILED
    message = "{object} uses {feature}, which this version does not support"
    hint = "Use a newer version of Holdfast or the program that wrote it."


class BlobNotFound(DamageError):
    """A blob that a snapshot refers to is in no index."""

    code = "blob-not-found"
    message = "{object} is missing from the index"
    hint = "Run `holdfast repo repair index`, then `holdfast repo check`."


class DamageFound(DamageError):
    """A check finished and found damage."""

    code = "damage-found"
    message = "repository {url} is damaged: {problems} problems found"
    hint = "See the list above; `holdfast repo repair` mends what can be mended."


class RestoreDamaged(DamageError):
    """A restore went to its end without items that are damaged in the repository, or that a hostile snapshot holds."""

    code = "restore-damaged"
    message = "part of snapshot {snapshot} is damaged in the repository and was not restored (items: {count})"
    hint = "Run `holdfast repo check --read-data` to see what is damaged, and try an older snapshot for these items."


class ListingIncomplete(DamageError):
    """A listing went to its end without folders that cannot be read."""

    code = "listing-incomplete"
    message = "some folders could not be read and are missing from the list (number: {count})"
    hint = "Run `holdfast repo check --read-data` to find everything that is damaged."


class CopyIncomplete(DamageError):
    """Snapshots could not be copied because something they need is damaged; all others were."""

    code = "copy-incomplete"
    message = "some snapshots of {url} are damaged there and were not copied (number: {count})"
    hint = "Run `holdfast repo check --read-data` on that repository; copy again when it has been repaired."


class BackupDamaged(DamageError):
    """What a target keeps is not what was stored."""

    code = "backup-damaged"
    message = "backup {backup} in {target} is damaged: {reason}"
    hint = "Restore from another backup or target; make a new backup while the application is well."


class ChecksumMismatch(DamageError):
    """A file of an archive is not the one that was stored."""

    code = "checksum-mismatch"
    message = "{path} has checksum {found}, not {expected}"
    hint = "The file was changed after it was made: restore from another copy, or look at it with --no-verify."


class SealVerificationFailed(TargetError):
    """Freshly written bytes did not read back to what went in: bad memory, processor or library."""

    code = "seal-verification-failed"
    message = "{object} did not read back as written before it was stored"
    hint = "Nothing bad was stored; test this machine's memory before you trust it with backups."


# --- telling people -----------------------------------------------------------------------------------


class DeliveryFailed(HoldfastError):
    """A message did not reach a channel this time."""

    code = "delivery-failed"
    transient = True
    message = "channel {channel} did not take the message: {reason}"
    hint = "It is tried again. See `holdfast notify list`, and try the channel with `holdfast notify test`."


class DeliveryRefused(DeliveryFailed):
    """A message will not reach a channel as it is configured."""

    code = "delivery-refused"
    transient = False
    message = "channel {channel} refuses the message: {reason}"
    hint = "Correct its URL under [notify] in holdfast.toml, then run `holdfast notify test`."


class DestinationRefused(HoldfastError):
    """A connection was to go where no message may go."""

    code = "destination-refused"
    message = "no connection is made to {host!r}: {reason}"
    hint = "If it is your own server, write its name or address into allow under [notify] in holdfast.toml."


class ReportNotWritten(HoldfastError):
    """The file of a report could not be made."""

    code = "report-not-written"
    message = "the report could not be written to {path}: {reason}"
    hint = "Check that the folder is there and has room, then run the command again."


# --- what became of it --------------------------------------------------------------------------------


class RunTimedOut(HoldfastError):
    """A planned run took longer than its policy allows and was ended."""

    code = "run-timed-out"
    message = "a run of policy {policy} took longer than {seconds} s and was ended"
    hint = "Look into its log for what took so long; raise timeout of the policy in holdfast.toml if it may."


class RunLost(HoldfastError):
    """The process that worked on a run ended without a word."""

    code = "run-lost"
    message = "the process {holder} ended in the middle of run {run}"
    hint = "Look for the reason in the system's log, such as missing memory; a planned run is repeated."


class ScheduleNotInstalled(HoldfastError):
    """Units or crontab lines for the policies could not be written or removed."""

    code = "schedule-not-installed"
    message = "the schedule cannot be put into {place}: {reason}"
    hint = "Put right what is named, or let `holdfast serve` run the policies; what was there is unchanged."


class PromiseBroken(HoldfastError):
    """The schedule cannot keep what the configuration promises."""

    code = "promise-broken"
    exit_code = ExitCode.OBJECTIVE_MISSED
    message = "the schedule does not keep what [objectives] promises: {broken}"
    hint = "Make the change that is proposed above, or promise less."


class BackupIncomplete(HoldfastError):
    """A snapshot was saved, but something selected could not be read."""

    code = "incomplete"
    exit_code = ExitCode.INCOMPLETE
    message = "snapshot {snapshot} was saved without {count} items that could not be read"
    hint = "See the list above; fix the cause and run the backup again."


class BackupPartial(HoldfastError):
    """A backup was committed without everything that was asked for."""

    code = "backup-partial"
    exit_code = ExitCode.INCOMPLETE
    message = "backup {backup} was made, but something is missing in it (items: {count})"
    hint = "See the warnings: fix the cause and back up again; nothing was rotated."


class BackupTooOld(HoldfastError):
    """The newest good backup is older than allowed."""

    code = "backup-too-old"
    exit_code = ExitCode.OBJECTIVE_MISSED
    message = "{what}"
    hint = "Find out why no newer backup was made: see the log and `holdfast doctor`."


# --- requests over the network ----------------------------------------------------------------------


class RequestError(HoldfastError):
    """A request to the server that it does not carry out; nothing was attempted."""

    code = "request"
    exit_code = ExitCode.USAGE


class NotAuthenticated(RequestError):
    """Nobody can be told from the request, or the token is no longer good."""

    code = "not-authenticated"
    message = "this request carries no valid token"
    hint = "Send a token as `Authorization: Bearer …`; an administrator makes one with `holdfast token create`."


class ScopeMissing(RequestError):
    """The token is good, but not for this."""

    code = "scope-missing"
    message = "this token may not do that: it takes the scope {scope}"
    hint = "Ask an administrator for a token with that scope."


class TooManyRequests(RequestError):
    """Somebody asks too often, or guesses tokens."""

    code = "too-many-requests"
    transient = True
    message = "too many requests from this address"
    hint = "Wait {seconds} seconds and try again."


class HostRefused(RequestError):
    """A request for a host name, or from a web page, that this server does not answer for."""

    code = "host-refused"
    message = "this server does not answer for {host}"
    hint = "Ask under a name that it knows, or add this one to allowed_hosts in holdfast.toml."


class RequestTooLarge(RequestError):
    """A body, an address or headers beyond what any request of this interface needs."""

    code = "request-too-large"
    message = "this request is too large: {what} may have {limit}"
    hint = "Send less."

    def __init__(self, **context: object) -> None:
        super().__init__(**_in_words(context, "what"))


class RequestInvalid(RequestError):
    """A body or a parameter that is not as the interface describes it."""

    code = "request-invalid"
    message = "{field} is not valid: {reason}"
    hint = "See /openapi.json for what this request takes."


class RouteNotFound(RequestError):
    """There is nothing at this address."""

    code = "route-not-found"
    message = "there is nothing at this address for this method"
    hint = "See /openapi.json for what there is."


class RangeRefused(RequestError):
    """A part of a file was asked for that it does not have, or several parts at once."""

    code = "range-refused"
    message = "that part of the file cannot be sent; it has {size} bytes"
    hint = "Ask for one range within the file, or for all of it."


class RunNotFound(RequestError):
    """No run has that id."""

    code = "run-not-found"
    message = "there is no run {run}"
    hint = "See /api/v1/runs for those there are."


class SetupRefused(RequestError):
    """The first token was asked for with a set-up token that is not, or no longer, the one that was shown."""

    code = "setup-refused"
    message = "this set-up token is not good"
    hint = "Take the one that the server printed when it started; start it again for a new one."


class BindRefused(UsageError):
    """The server would be reachable from other machines without encryption."""

    code = "bind-refused"
    message = "{host} can be reached from other machines, and tokens would travel there unencrypted"
    hint = "Give tls_cert and tls_key, put a proxy with TLS before 127.0.0.1, or pass --insecure-http if you must."


class PortUnavailable(HoldfastError):
    """The server cannot listen where it should."""

    code = "port-unavailable"
    message = "cannot listen on {host} port {port}: {reason}"
    hint = "Stop what listens there, or choose another port with --port."


class ExtraMissing(UsageError):
    """A part of Holdfast was asked for whose libraries are not installed."""

    code = "extra-missing"
    message = "{what} needs libraries that are not installed: {name} is missing"
    hint = "Install them with `pip install 'holdfast[{extra}]'`."

    def __init__(self, **context: object) -> None:
        super().__init__(**_in_words(context, "what"))


# --- what is known of runs and people -----------------------------------------------------------------


class CatalogUnavailable(HoldfastError):
    """The catalog cannot be reached, read or written; nothing in it was changed."""

    code = "catalog-unavailable"
    transient = True
    message = "the catalog {place} cannot be used: {reason}"
    hint = "Put right what is named and try again. Backups are not touched by this."


class CatalogDamaged(HoldfastError):
    """The database of the catalog is not whole."""

    code = "catalog-damaged"
    exit_code = ExitCode.DAMAGED
    message = "the catalog {place} is damaged: {reason}"
    hint = (
        "Run `holdfast catalog rebuild`: it puts the file aside and makes another from the targets; backups are intact."
    )


class CatalogNewer(HoldfastError):
    """A newer version changed the catalog so that this one cannot work with it."""

    code = "catalog-newer"
    message = "the catalog {place} was changed by a newer version of Holdfast"
    hint = "Install that version here, too."


class AuditForged(HoldfastError):
    """The audit log is not what was written."""

    code = "audit-forged"
    exit_code = ExitCode.DAMAGED
    message = "the audit log is not what was written: {what} at entry {number}"
    hint = "Keep a copy of the catalog as it is, find out who could write to it, and replace all tokens."
