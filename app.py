"""Entry of the CDK command line (see cdk.json); what it builds is in `infra.assembly`."""

from infra.assembly import build_app
from infra.settings import BadSetting

if __name__ == "__main__":
    try:
        build_app().synth()
    except BadSetting as bad:
        raise SystemExit(f"callscribe: {bad}") from None
