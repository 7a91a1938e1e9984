"""The schemas of volumes: files and folders that containers mount.

For: describing each field of a volume once.
Must not know: who mounts a volume, or how it is made.
"""

from api.container_schemas import FIELD_REF, RESOURCE_FIELD_REF
from api.openapi import Schema, array, boolean, integer, quantity, record, text, whole

MODE_MAX = 0o777


def _mode(description: str) -> Schema:
    return integer(description, minimum=0, maximum=MODE_MAX)


_DEFAULT_MODE = _mode("The rights of each file, as a number; 0644 (420) by default.")
_OPTIONAL = boolean("Whether the object, or a key of it, may be absent.")
_ITEM = record(
    "One key, and the file it becomes.",
    {
        "key": text("The key."),
        "path": text("The path of its file, in the volume."),
        "mode": _mode("The rights of the file, as a number."),
    },
    required=("key", "path"),
)
_ITEMS = array("The keys that become files; all of them by default.", _ITEM)
_DOWNWARD_FILE = record(
    "A file that holds a field of the Pod: exactly one of fieldRef and resourceFieldRef.",
    {
        "path": text("The path of the file, in the volume."),
        "fieldRef": whole(FIELD_REF),
        "resourceFieldRef": whole(RESOURCE_FIELD_REF),
        "mode": _mode("The rights of the file, as a number."),
    },
    required=("path",),
)
_PROJECTION = record(
    "One source of files: exactly one of these.",
    {
        "configMap": whole(
            record(
                "The keys of a ConfigMap.",
                {
                    "name": text("The name of the ConfigMap."),
                    "items": _ITEMS,
                    "optional": _OPTIONAL,
                },
                required=("name",),
            )
        ),
        "secret": whole(
            record(
                "The keys of a Secret.",
                {"name": text("The name of the Secret."), "items": _ITEMS, "optional": _OPTIONAL},
                required=("name",),
            )
        ),
        "serviceAccountToken": record(
            "A token by which the container proves who it is.",
            {
                "audience": text("For whom the token is meant; the API server by default."),
                "expirationSeconds": integer(
                    "How long it is good for, in seconds; 3600 by default.", minimum=600
                ),
                "path": text("The path of the file, in the volume."),
            },
            required=("path",),
        ),
        "downwardAPI": record(
            "Fields of the Pod.", {"items": array("The files to write.", _DOWNWARD_FILE)}
        ),
    },
)
_HOST_PATH_TYPES = (
    *("DirectoryOrCreate", "Directory", "FileOrCreate", "File"),
    *("Socket", "CharDevice", "BlockDevice"),
)
VOLUME = record(
    "Files that containers can mount: a name, and exactly one source.",
    {
        "name": text("The name by which containers mount it."),
        "configMap": whole(
            record(
                "The keys of a ConfigMap, as files.",
                {
                    "name": text("The name of the ConfigMap."),
                    "items": _ITEMS,
                    "defaultMode": _DEFAULT_MODE,
                    "optional": _OPTIONAL,
                },
                required=("name",),
            )
        ),
        "secret": record(
            "The keys of a Secret, as files.",
            {
                "secretName": text("The name of the Secret."),
                "items": _ITEMS,
                "defaultMode": _DEFAULT_MODE,
                "optional": _OPTIONAL,
            },
            required=("secretName",),
        ),
        "projected": record(
            "Files from several sources in one folder.",
            {
                "sources": array("The sources.", _PROJECTION),
                "defaultMode": _DEFAULT_MODE,
            },
        ),
        "emptyDir": record(
            "A folder that lives as long as the replica.",
            {
                "medium": text("Empty for disk, or Memory.", enum=("Memory",)),
                "sizeLimit": quantity("The most it may hold."),
            },
        ),
        "persistentVolumeClaim": record(
            "A volume that outlives the replica.",
            {
                "claimName": text("The name of the PersistentVolumeClaim."),
                "readOnly": boolean("Whether no mount of it can be written."),
            },
            required=("claimName",),
        ),
        "hostPath": record(
            "A file or folder of the machine that runs the replica.",
            {
                "path": text("The path on the machine."),
                "type": text(
                    "What must be there; nothing is checked by default.", enum=_HOST_PATH_TYPES
                ),
            },
            required=("path",),
        ),
    },
    required=("name",),
)
