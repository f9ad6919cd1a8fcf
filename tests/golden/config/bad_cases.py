"""Configurations that cannot be. What a case leaves out is completed with sections that are in order."""

from __future__ import annotations

import re

PARTS = {
    "app": '[app]\nname = "shop"\n',
    "sources": '[sources.db]\nkind = "sqlite"\npath = "app.db"\n',
    "targets": '[targets.local]\nkind = "archive"\nurl = "backups"\n',
}

# Not completed: the file as it is.
WHOLE = {
    "empty file": "",
    "only a comment": "# nothing yet\n",
    "cut in a table name": '[app]\nname = "shop"\n[sour',
    "cut in a text": '[app]\nname = "sho',
    "cut after the sign =": "[app]\nname =",
    "no quotes": "[app]\nname = shop\n",
    "colon instead of =": '[app]\nname: "shop"\n',
    "table twice": '[app]\nname = "a"\n[app]\nname = "b"\n',
    "key twice": '[app]\nname = "a"\nname = "b"\n',
    "list not closed": '[sources.files]\nkind = "files"\npaths = ["a",\n',
    "unknown escape": '[app]\nname = "C:\\shop"\n',
    "very deep list": "a = " + "[" * 60 + "]" * 60 + "\n",
    "JSON": '{"app": {"name": "shop"}}\n',
    "YAML": "app:\n  name: shop\n",
    "no sources and no targets": '[app]\nname = "shop"\n',
    "no targets": '[app]\nname = "shop"\n[sources.db]\nkind = "sqlite"\npath = "a.db"\n',
    "no sources": '[app]\nname = "shop"\n[targets.local]\nkind = "archive"\nurl = "b"\n',
    "everything wrong at once": (
        '[app]\nnam = "shop"\nlanguage = "de"\n[sources.db]\nkind = "sqllite"\n[sources.Files]\nkind = "files"\n'
        '[targets.local]\nkind = "archive"\nlayout = "flatt"\nkeep = {}\n[policies.p]\ntargets = ["loca"]\n'
        "[polices.q]\n"
    ),
}

SECTIONS = {
    "unknown section": "[sorces.db]\nx = 1\n",
    "section nobody knows": "[zzz]\nx = 1\n",
    "section is a number": "app = 1\n",
    "section is a text": 'hooks = "make stop"\n',
    "sources is a list": 'sources = ["db"]\n[targets.local]\nkind = "archive"\nurl = "b"\n',
    "section repeated as a list": '[[app]]\nname = "shop"\n',
    "app without a name": "[app]\n",
    "app name empty": '[app]\nname = ""\n',
    "app name with a space": '[app]\nname = "my shop"\n',
    "app name with a comma": '[app]\nname = "a,b"\n',
    "app name is a number": "[app]\nname = 7\n",
    "app name ends with a line break": '[app]\nname = "shop\\n"\n',
    "unknown key of app": '[app]\nname = "shop"\nlangauge = "en"\n',
    "language nobody speaks here": '[app]\nname = "shop"\nlanguage = "de"\n',
    "language in capitals": '[app]\nname = "shop"\nlanguage = "EN"\n',
    "time zone with a slip": '[app]\nname = "shop"\ntimezone = "Europe/Istambul"\n',
    "time zone from nowhere": '[app]\nname = "shop"\ntimezone = "Mars"\n',
    "time zone is a path": '[app]\nname = "shop"\ntimezone = "../../etc/passwd"\n',
    "time zone is a folder": '[app]\nname = "shop"\ntimezone = "America"\n',
    "time zone empty": '[app]\nname = "shop"\ntimezone = ""\n',
    "time zone is a number": '[app]\nname = "shop"\ntimezone = 3\n',
    "state folder empty": '[app]\nname = "shop"\nstate_dir = ""\n',
    "verify_after is a text": '[app]\nname = "shop"\nverify_after = "yes"\n',
    "verify_after is a number": '[app]\nname = "shop"\nverify_after = 1\n',
    "timeout without a unit": '[app]\nname = "shop"\ndump_timeout = "60"\n',
    "timeout is a number": '[app]\nname = "shop"\ndump_timeout = 60\n',
    "NUL in a text": '[app]\nname = "shop"\nlog_file = "a\\u0000b"\n',
    "objectives in words": '[objectives]\nrpo = "one hour"\n',
    "objectives in months": '[objectives]\nrpo = "1mo"\n',
    "objective of nothing": '[objectives]\nrto = "0h"\n',
    "objective for an unknown source": '[objectives]\nsources = { bd = "1h" }\n',
    "unknown objective": '[objectives]\nrop = "1h"\n',
    "server without a port that is one": "[server]\nport = 0\n",
    "server with half of TLS": '[server]\ntls_cert = "cert.pem"\n',
    "server behind a proxy with a name": '[server]\ntrusted_proxies = ["proxy.example.org"]\n',
    "server asked by a URL": '[server]\nallowed_hosts = ["https://example.org"]\n',
    "server with a public name": '[server]\npublic_url = "example.org"\n',
    "catalog in another kind of database": '[server]\ncatalog = "mysql://root:secret@db/holdfast"\n',
    "catalog as a path": '[server]\ncatalog = "catalog.db"\n',
    "unknown key of server": "[server]\nprot = 80\n",
    "notify one URL as text": '[notify]\nurls = "mailto://a@b.c"\n',
    "notify without a scheme": '[notify]\nurls = ["a@example.org"]\n',
    "notify about nothing known": '[notify]\non = ["fail"]\n',
    "hook is a text": '[hooks]\nbefore_backup = "make stop"\n',
    "hook with a pipe": '[hooks]\nbefore_backup = ["ps | grep web"]\n',
    "hook with &&": '[hooks]\nafter_restore = ["true", "cd /srv && make up"]\n',
    "hook with an open quote": '[hooks]\nafter_backup = ["echo \'done"]\n',
    "hook empty": '[hooks]\nafter_backup = [""]\n',
    "hook of blanks": '[hooks]\nafter_backup = ["  "]\n',
    "hook with no words": "[hooks]\nafter_backup = [[]]\n",
    "hook with numbers": "[hooks]\nafter_backup = [1]\n",
    "unknown hook": '[hooks]\nbefore_bakup = ["true"]\n',
}

SOURCES = {
    "source without a kind": '[sources.db]\npath = "a.db"\n',
    "kind misspelt as a key": '[sources.db]\nkid = "sqlite"\n',
    "unknown kind": '[sources.db]\nkind = "oracle"\n',
    "kind with a slip": '[sources.db]\nkind = "postgres"\n',
    "kind in capitals": '[sources.db]\nkind = "SQLite"\npath = "a.db"\n',
    "kind is a list": '[sources.db]\nkind = ["sqlite"]\n',
    "source is a text": '[sources]\ndb = "app.db"\n',
    "source name in capitals": '[sources.DB]\nkind = "sqlite"\npath = "a.db"\n',
    "source name with a dot": '[sources."a.b"]\nkind = "sqlite"\npath = "a.db"\n',
    "source name empty": '[sources.""]\nkind = "sqlite"\npath = "a.db"\n',
    "source name too long": f'[sources.{"a" * 64}]\nkind = "sqlite"\npath = "a.db"\n',
    "source name begins with a hyphen": '[sources.-db]\nkind = "sqlite"\npath = "a.db"\n',
    "source name not Latin": '[sources."پایگاه"]\nkind = "sqlite"\npath = "a.db"\n',
    "sqlite without a path": '[sources.db]\nkind = "sqlite"\n',
    "sqlite path empty": '[sources.db]\nkind = "sqlite"\npath = ""\n',
    "sqlite path is a list": '[sources.db]\nkind = "sqlite"\npath = ["a.db"]\n',
    "sqlite with a slip": '[sources.db]\nkind = "sqlite"\npth = "a.db"\n',
    "sqlite timeout negative": '[sources.db]\nkind = "sqlite"\npath = "a.db"\nbusy_timeout_s = -1\n',
    "sqlite method unknown": '[sources.db]\nkind = "sqlite"\npath = "a.db"\nmethod = "copy"\n',
    "files without paths": '[sources.files]\nkind = "files"\n',
    "files with no path": '[sources.files]\nkind = "files"\npaths = []\n',
    "files path is a text": '[sources.files]\nkind = "files"\npaths = "storage"\n',
    "files path empty": '[sources.files]\nkind = "files"\npaths = ["storage", ""]\n',
    "files path is a number": '[sources.files]\nkind = "files"\npaths = [\n  "storage",\n  # a comment\n  5,\n]\n',
    "files exclude is a table": '[sources.files]\nkind = "files"\npaths = ["a"]\nexclude = { a = 1 }\n',
    "config missing misspelt": '[sources.conf]\nkind = "config"\npaths = [".env"]\nmissing = "skip"\n',
    "postgresql port is a text": '[sources.db]\nkind = "postgresql"\ndatabase = "shop"\nport = "5432"\n',
    "mysql user is a number": '[sources.db]\nkind = "mysql"\ndatabase = "shop"\nuser = 1\n',
    "volume name with a slash": '[sources.vol]\nkind = "docker-volume"\nvolume = "a/b"\n',
    "command without a program": '[sources.cmd]\nkind = "command"\n',
    "command empty": '[sources.cmd]\nkind = "command"\ndump = ""\n',
    "command output with a slash": '[sources.cmd]\nkind = "command"\ndump = "true"\nfile_name = "a/b"\n',
    "tables of an unknown source": (
        '[sources.db]\nkind = "sqlite"\npath = "a.db"\n[sources.t]\nkind = "tables"\ndatabase = "bd"\ntables = ["x"]\n'
    ),
    "tables of files": (
        '[sources.files]\nkind = "files"\npaths = ["a"]\n[sources.t]\nkind = "tables"\ndatabase = "files"\n'
        'tables = ["x"]\n'
    ),
    "tables of itself": '[sources.t]\nkind = "tables"\ndatabase = "t"\ntables = ["x"]\n',
}

SECRETS = {
    "secret twice": '[targets.r]\nkind = "repository"\nurl = "r"\npassword = "hunter2"\npassword_file = "p"\n',
    "secret three times": (
        '[targets.r]\nkind = "repository"\nurl = "r"\npassword = "hunter2"\npassword_file = "p"\n'
        'password_command = "true"\n'
    ),
    "secret file missing": '[targets.r]\nkind = "repository"\nurl = "r"\npassword_file = "nowhere/secret"\n',
    "secret file is a folder": '[targets.r]\nkind = "repository"\nurl = "r"\npassword_file = "."\n',
    "secret file empty": '[targets.r]\nkind = "repository"\nurl = "r"\npassword_file = "empty"\n',
    "secret file is a number": '[targets.r]\nkind = "repository"\nurl = "r"\npassword_file = 3\n',
    "secret is a number": '[targets.r]\nkind = "repository"\nurl = "r"\npassword = 12345\n',
    "secret is empty": '[targets.r]\nkind = "repository"\nurl = "r"\npassword = ""\n',
    "secret command fails": '[targets.r]\nkind = "repository"\nurl = "r"\npassword_command = ["false", "hunter2"]\n',
    "secret command missing": '[targets.r]\nkind = "repository"\nurl = "r"\npassword_command = "no-such-program x"\n',
    "secret command prints nothing": '[targets.r]\nkind = "repository"\nurl = "r"\npassword_command = "true"\n',
    "secret command with an open quote": (
        '[targets.r]\nkind = "repository"\nurl = "r"\npassword_command = "pass \'hunter2"\n'
    ),
    "secret command is a number": '[targets.r]\nkind = "repository"\nurl = "r"\npassword_command = 3\n',
    "secret from a missing variable": '[targets.r]\nkind = "repository"\nurl = "r"\npassword = "${NOT_SET}"\n',
    "secret of a kind that has none": ('[targets.a]\nkind = "archive"\nurl = "a"\npassword_file = "p"\n'),
    "secret key misspelt": '[targets.r]\nkind = "repository"\nurl = "r"\npasswort_file = "p"\n',
}

TARGETS = {
    "unknown target kind": '[targets.t]\nkind = "tape"\nurl = "t"\n',
    "target kind with a slip": '[targets.t]\nkind = "archiv"\nurl = "t"\n',
    "target without a place": '[targets.t]\nkind = "archive"\n',
    "target place is a number": '[targets.t]\nkind = "archive"\nurl = 1\n',
    "unknown layout": '[targets.t]\nkind = "archive"\nurl = "t"\nlayout = "zip"\n',
    "unknown compression": '[targets.t]\nkind = "archive"\nurl = "t"\ncompression = "gzip"\n',
    "pack size too large": '[targets.t]\nkind = "repository"\nurl = "t"\npassword = "${P}"\npack_size = 4096\n',
    "limit negative": '[targets.t]\nkind = "repository"\nurl = "t"\npassword = "${P}"\nlimit_upload = -1\n',
    "storage setting is a number": '[targets.t]\nkind = "archive"\nurl = "t"\noptions = { "sftp.port" = 22 }\n',
    "two targets in one place": (
        '[targets.a]\nkind = "archive"\nurl = "backups"\n[targets.b]\nkind = "archive"\nurl = "./backups/"\n'
    ),
    "target keeps nothing": '[targets.t]\nkind = "archive"\nurl = "t"\nkeep = {}\n',
    "target keeps zero": '[targets.t]\nkind = "archive"\nurl = "t"\nkeep = { last = 0, daily = 0 }\n',
    "target keeps a number": '[targets.t]\nkind = "archive"\nurl = "t"\nkeep = 7\n',
}

POLICIES = {
    "policy keeps nothing": "[policies.nightly]\nkeep = {}\n",
    "policy keeps zero days": "[policies.nightly]\nkeep = { days = 0 }\n",
    "policy keeps within nothing": '[policies.nightly]\nkeep = { within = "0d" }\n',
    "policy keeps a negative number": "[policies.nightly]\nkeep = { last = -1 }\n",
    "policy keeps a text": '[policies.nightly]\nkeep = { last = "7" }\n',
    "policy keeps half a backup": "[policies.nightly]\nkeep = { last = 1.5 }\n",
    "policy keeps far too many": "[policies.nightly]\nkeep = { last = 99999999999999999999 }\n",
    "policy keep misspelt": "[policies.nightly]\nkeep = { lst = 7 }\n",
    "policy keep in another unit": '[policies.nightly]\nkeep = { within = "30 days" }\n',
    "policy keep with one unit twice": '[policies.nightly]\nkeep = { within = "1d2d" }\n',
    "policy with an unknown target": '[policies.nightly]\ntargets = ["lokal"]\n',
    "policy with an unknown source": '[policies.nightly]\nsources = ["db", "files"]\n',
    "policy with no target": "[policies.nightly]\ntargets = []\n",
    "policy with a target twice": '[policies.nightly]\ntargets = ["local", "local"]\n',
    "policy targets is a text": '[policies.nightly]\ntargets = "local"\n',
    "policy with an unknown type": '[policies.nightly]\ntype = "fulll"\n',
    "policy retries negative": "[policies.nightly]\nretries = -1\n",
    "policy jitter in words": '[policies.nightly]\njitter = "a bit"\n',
    "schedule is a number": "[policies.nightly]\nschedule = 2\n",
    "schedule in words": '[policies.nightly]\nschedule = "every night"\n',
    "schedule of four fields": '[policies.nightly]\nschedule = "0 2 * *"\n',
    "schedule of six fields": '[policies.nightly]\nschedule = "0 0 2 * * *"\n',
    "schedule at hour 24": '[policies.nightly]\nschedule = "0 24 * * *"\n',
    "schedule at minute 60": '[policies.nightly]\nschedule = "60 2 * * *"\n',
    "schedule on day 0": '[policies.nightly]\nschedule = "0 2 0 * *"\n',
    "schedule in month 13": '[policies.nightly]\nschedule = "0 2 * 13 *"\n',
    "schedule on weekday 8": '[policies.nightly]\nschedule = "0 2 * * 8"\n',
    "schedule every zero minutes": '[policies.nightly]\nschedule = "*/0 * * * *"\n',
    "schedule backwards": '[policies.nightly]\nschedule = "0 5-2 * * *"\n',
    "schedule on 30 February": '[policies.nightly]\nschedule = "0 2 30 2 *"\n',
    "schedule in another script": '[policies.nightly]\nschedule = "٠ ٢ * * *"\n',
    "policy name in capitals": "[policies.Nightly]\nretries = 1\n",
}

VARIABLES = {
    "variable missing": '[targets.t]\nkind = "archive"\nurl = "${NOT_SET}/x"\n',
    "variable empty": '[targets.t]\nkind = "archive"\nurl = "${EMPTY}"\n',
    "variable empty in a path": '[sources.files]\nkind = "files"\npaths = ["/srv/${EMPTY}"]\n',
    "variable not closed": '[targets.t]\nkind = "archive"\nurl = "${HOME_DIR"\n',
    "variable without a name": '[targets.t]\nkind = "archive"\nurl = "${}"\n',
    "variable with a hyphen": '[targets.t]\nkind = "archive"\nurl = "${MY-DIR}"\n',
    "variable within a default": '[targets.t]\nkind = "archive"\nurl = "${A:-${B}}"\n',
    "variable with an operator": '[targets.t]\nkind = "archive"\nurl = "${A:?say where}"\n',
    "variable that is no number": '[sources.db]\nkind = "postgresql"\nport = "${WORD}"\n',
    "variable that is no truth": '[app]\nname = "shop"\nverify_after = "${WORD}"\n',
    "default that is empty where it must not be": '[sources.db]\nkind = "sqlite"\npath = "${EMPTY:-}"\n',
    "two variables missing": '[targets.t]\nkind = "archive"\nurl = "${ONE}/${TWO}"\n',
}

ENVIRONMENTS = {
    "environment is a text": 'environments = { staging = "x" }\n',
    "environment name in capitals": "[environments.Staging]\n",
    "environment with an unknown section": '[environments.production.tragets.local]\nurl = "b"\n',
    "environment within an environment": "[environments.production.environments.other]\n",
    "environment with a wrong value": '[environments.staging.app]\nlanguage = "xx"\n',
    "environment with an unknown key": '[environments.staging.targets.local]\nlayuot = "flat"\n',
    "environment that replaces a kind and forgets": '[environments.staging.sources.db]\nkind = "files"\n',
}

COMPLETED = {**SECTIONS, **SOURCES, **SECRETS, **TARGETS, **POLICIES, **VARIABLES, **ENVIRONMENTS}


def completed(text: str) -> str:
    """The text with the sections it lacks added at its end, so that its own lines keep their numbers."""
    present = {
        name for name in PARTS if text.startswith(f"{name} =") or re.search(rf"^\[+{name}\b", text, re.MULTILINE)
    }
    return text + "".join(part for name, part in PARTS.items() if name not in present)


CASES = {**WHOLE, **{name: completed(text) for name, text in COMPLETED.items()}}
