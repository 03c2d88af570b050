"""The ports on AWS, by boto3 clients."""
