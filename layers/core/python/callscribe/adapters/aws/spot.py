"""Whether this machine is a spot instance that is about to be taken away, by the instance metadata service."""

from typing import Final

from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

SERVICE_URL: Final = "http://169.254.169.254"
_TOKEN_PATH: Final = "/latest/api/token"
_ACTION_PATH: Final = "/latest/meta-data/spot/instance-action"
_TOKEN_LIFE: Final = {"x-aws-ec2-metadata-token-ttl-seconds": "21600"}
_TIMEOUT_S: Final = 1


class SpotNotice:
    """Answers True once the two minutes' notice was given, asking version 2 of the service alone, through no proxy.

    No service, one that is silent, and any other answer than a notice are False: a worker goes on for as long as it
    can. A recommendation to rebalance is no notice.
    """

    def __init__(self, *, service_url: str = SERVICE_URL, timeout_s: int = _TIMEOUT_S) -> None:
        self._service_url = service_url
        self._session = URLLib3Session(timeout=timeout_s)
        self._token: str | None = None

    def __call__(self) -> bool:
        """Ask once; takes a few time-outs at most."""
        try:
            if self._token is None:
                self._token = self._new_token()
            return self._token is not None and self._is_noticed(self._token)
        except BotoCoreError:
            return False

    def _new_token(self) -> str | None:
        answer = self._send("PUT", _TOKEN_PATH, _TOKEN_LIFE)
        return answer.text if answer.status_code == 200 else None

    def _is_noticed(self, token: str) -> bool:
        answer = self._send("GET", _ACTION_PATH, {"x-aws-ec2-metadata-token": token})
        if answer.status_code == 401:  # its six hours are over: the next time with another one
            self._token = None
        return answer.status_code == 200

    def _send(self, method: str, path: str, headers: dict[str, str]) -> AWSResponse:
        request = AWSRequest(method=method, url=self._service_url + path, headers=headers)
        return self._session.send(request.prepare())
