"""The Dockerfile and compose.yaml as tests read them: there is a container engine on few machines that run tests."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def instructions() -> list[str]:
    """The instructions of the Dockerfile, each on one line, without comments."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    without_comments = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    return [line for line in re.sub(r"\s*\\\n\s*", " ", without_comments).splitlines() if line]


def last_stage() -> list[str]:
    """The instructions of the stage that becomes the image."""
    lines = instructions()
    begins = max(number for number, line in enumerate(lines) if line.startswith("FROM "))
    return lines[begins:]


def image_variables() -> dict[str, str]:
    """The gateway's settings that the image has."""
    [line] = [line for line in last_stage() if line.startswith("ENV ")]
    variables = dict(each.split("=", 1) for each in line.removeprefix("ENV ").split())
    return {name: value for name, value in variables.items() if name.startswith("GATEWAY_")}


def services(secrets: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The services of compose.yaml. With `secrets`, the variables of the file have these values."""

    def value(match: re.Match[str]) -> str:
        return match[0] if secrets is None else secrets[match[1]]

    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for service in found.values():
        texts = service.get("environment", {})
        for name, text in texts.items():
            texts[name] = re.sub(r"\$\{(\w+):\?[^}]*\}", value, text)
    return found


def dotenv(file: Path) -> dict[str, str]:
    """The variables of `.env` as compose reads them: single quotes keep a value as it is."""
    lines = file.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    return {name: value.strip("'") for name, value in pairs}
