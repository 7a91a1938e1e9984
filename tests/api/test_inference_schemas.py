"""The columns of KServe, and a schema that knows every field the parser takes."""

from api import kinds
from api.crds import definition
from api.inference_names import FRAMEWORKS
from api.schemas import PRINTER_COLUMNS, SCHEMAS

SPEC = SCHEMAS[kinds.INFERENCESERVICES]["properties"]["spec"]["properties"]


def test_the_seven_columns() -> None:
    found = PRINTER_COLUMNS[kinds.INFERENCESERVICES]
    assert [(each.name, each.type, each.json_path) for each in found] == [
        ("URL", "string", ".status.url"),
        ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
        ("Prev", "integer", ".status.components.predictor.traffic[?(@.tag=='prev')].percent"),
        (
            "Latest",
            "integer",
            ".status.components.predictor.traffic[?(@.latestRevision==true)].percent",
        ),
        (
            "PrevRolledoutRevision",
            "string",
            ".status.components.predictor.traffic[?(@.tag=='prev')].revisionName",
        ),
        (
            "LatestReadyRevision",
            "string",
            ".status.components.predictor.traffic[?(@.latestRevision==true)].revisionName",
        ),
        ("Age", "date", ".metadata.creationTimestamp"),
    ]


def test_an_age_is_not_added_to_one_that_is_there() -> None:
    version = definition(kinds.INFERENCESERVICES)["spec"]["versions"][0]
    names = [each["name"] for each in version["additionalPrinterColumns"]]
    assert names.count("Age") == 1


def test_the_status_is_a_part_of_its_own() -> None:
    assert definition(kinds.INFERENCESERVICES)["spec"]["versions"][0]["subresources"] == {
        "status": {}
    }


def test_each_component_has_a_pod_and_its_extension() -> None:
    for name in ("predictor", "transformer", "explainer"):
        assert {"containers", "volumes", "minReplicas", "logger"} <= set(SPEC[name]["properties"])
    assert {"model", "batcher", *FRAMEWORKS} <= set(SPEC["predictor"]["properties"])
    assert not {"model", "batcher"} & set(SPEC["transformer"]["properties"])


def test_a_model_is_a_container_that_needs_no_image() -> None:
    model = SPEC["predictor"]["properties"]["model"]
    assert {"args", "env", "image", "resources"} <= set(model["properties"])
    assert model["required"] == ["modelFormat"]
