"""Which kinds of source there are."""

from __future__ import annotations

from holdfast.runtime.plugins import PluginTable, Row

SOURCES = PluginTable(
    {
        "sqlite": Row("holdfast.sources.sqlite:Sqlite", "holdfast.sources.sqlite:SqliteOptions"),
        "postgresql": Row("holdfast.sources.postgresql:Postgresql", "holdfast.sources.postgresql:PostgresqlOptions"),
        "mysql": Row("holdfast.sources.mysql:Mysql", "holdfast.sources.mysql:MysqlOptions"),
        "tables": Row("holdfast.sources.tables:Tables", "holdfast.sources.tables:TablesOptions"),
        "files": Row("holdfast.sources.files:Files", "holdfast.sources.files:FilesOptions"),
        "config": Row("holdfast.sources.config_files:ConfigFiles", "holdfast.sources.config_files:ConfigFilesOptions"),
        "command": Row("holdfast.sources.command:Command", "holdfast.sources.command:CommandOptions"),
        "docker-volume": Row(
            "holdfast.sources.docker_volume:DockerVolume", "holdfast.sources.docker_volume:DockerVolumeOptions"
        ),
    },
    group="holdfast.sources",
)
