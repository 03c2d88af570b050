"""The infrastructure as CDK code. Imports `callscribe.names` and nothing else of the product."""

import os

# jsii starts Node when `aws_cdk` is imported, and prints a banner for every Node past its end of life whose major
# version is not in this list. It is a list: "1" silences nothing.
os.environ["JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"] = "20"
