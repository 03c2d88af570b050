"""What functions are told about their stage: the values of the environment variables in `callscribe.names`."""

import json
from dataclasses import dataclass

from callscribe import names
from infra.data_stack import DataStack
from infra.settings import StageSettings


@dataclass(frozen=True, slots=True)
class Variables:
    """Environment variables by name; a function gets those that it asks for."""

    values: dict[str, str]

    def pick(self, *wanted: str) -> dict[str, str]:
        """The settings, and the variables named."""
        return {name: self.values[name] for name in (names.ENV_SETTINGS, *wanted)}


def variables_of(settings: StageSettings, data: DataStack, *, base_url: str) -> Variables:
    """The variables that follow from settings and data; each construct of the app stack adds its own to `values`."""
    overrides = settings.runtime_overrides() | {"public_base_url": base_url}
    captcha = {names.ENV_CAPTCHA_SECRET: settings.captcha_secret_arn} if settings.captcha_secret_arn else {}
    return Variables(
        {
            # Not Stack.to_json_string, which takes no tuples; a token is text that survives.
            names.ENV_SETTINGS: json.dumps(overrides, separators=(",", ":")),
            names.ENV_TABLE: data.table.table_name,
            names.ENV_AUDIO_BUCKET: data.audio.bucket_name,
            names.ENV_RESULTS_BUCKET: data.results.bucket_name,
            names.ENV_INDEX_BUCKET: data.index.bucket_name,
            names.ENV_ROOT_KEYS_SECRET: data.root_keys.secret_arn,
            **captcha,
        }
    )
