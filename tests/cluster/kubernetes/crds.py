"""KubeRay's own definitions of its resources as JSON schemas, strict as ``kubectl create --validate=strict`` is."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

FOLDER = Path(os.environ.get("EIANN_CRDS", Path(__file__).parents[4] / "shared" / "testbed" / "crds"))


def problems(document: dict[str, Any]) -> list[str]:
    """What the API server would refuse in a resource of KubeRay."""
    found = validator(document["kind"], document["apiVersion"].partition("/")[2]).iter_errors(document)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


@cache
def validator(kind: str, version: str) -> Draft202012Validator:
    if not FOLDER.is_dir():
        pytest.skip(f"needs KubeRay's CRDs in {FOLDER}; EIANN_CRDS names another folder")
    for file in FOLDER.glob("*.yaml"):
        definition = yaml.load(file.read_text(), yaml.CSafeLoader)
        if definition["spec"]["names"]["kind"] != kind:
            continue
        for offered in definition["spec"]["versions"]:
            if offered["name"] == version:
                schema = closed(offered["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
                return Draft202012Validator(schema)
    raise LookupError(f"{kind} {version}")


def closed(schema: Any) -> Any:
    """A structural schema of Kubernetes as plain JSON schema, in which unknown fields are errors."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {key: value for key, value in schema.items() if not key.startswith("x-") and key != "description"}
    if schema.get("x-kubernetes-int-or-string"):
        whole.pop("anyOf", None)
        whole["type"] = ["integer", "string"]
    if isinstance(whole.get("properties"), dict):
        whole["properties"] = {name: closed(one) for name, one in whole["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            whole.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if key in whole:
            whole[key] = closed(whole[key])
    if whole.pop("nullable", False) and "type" in whole:
        whole["type"] = [whole["type"], "null"]
    return whole
