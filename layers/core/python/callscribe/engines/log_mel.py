"""Log-mel features of a whole batch at once, on the device that the model runs on.

They equal those of transformers' own extractor for Parakeet, which works on the CPU.
"""

from dataclasses import dataclass, fields
from typing import Any

import torch
from transformers.audio_utils import mel_filter_bank

Tensor = Any  # torch is not installed where types are checked
_LOG_GUARD = 2**-24  # added to the power before the logarithm
_DEVIATION_GUARD = 1e-5  # added to the deviation before dividing by it


@dataclass(frozen=True, slots=True)
class MelSettings:
    """How the features are made; lengths in samples, with the names and defaults of a model's own configuration."""

    feature_size: int = 80
    sampling_rate: int = 16_000
    hop_length: int = 160
    n_fft: int = 512
    win_length: int = 400
    preemphasis: float | None = 0.97

    @classmethod
    def of(cls, configured: dict[str, Any]) -> "MelSettings":
        """What a model's configuration says, with the defaults where it says nothing."""
        return cls(**{field.name: configured[field.name] for field in fields(cls) if field.name in configured})


class LogMel:
    """Features of shape (batch, frames, bands), each band of each recording with mean 0 and deviation 1."""

    def __init__(self, settings: MelSettings, device: str) -> None:
        self._settings = settings
        self._window = torch.hann_window(settings.win_length, periodic=False, device=device)
        filters = mel_filter_bank(
            num_frequency_bins=settings.n_fft // 2 + 1,
            num_mel_filters=settings.feature_size,
            min_frequency=0.0,
            max_frequency=settings.sampling_rate / 2,
            sampling_rate=settings.sampling_rate,
            norm="slaney",
            mel_scale="slaney",
        )
        self._filters = torch.from_numpy(filters.T.copy()).to(device, torch.float32)

    def __call__(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features and their mask, shape (batch, frames), of samples of shape (batch, samples), padded with zeros.

        `lengths`: how many samples of each recording are its own, at least two hops.
        """
        counts = lengths // self._settings.hop_length
        power = self._power(self._emphasised(samples, lengths))
        features = torch.log(self._filters @ power + _LOG_GUARD).transpose(1, 2)
        mask = torch.arange(features.shape[1], device=features.device)[None] < counts[:, None]
        return _standardised(features, mask[..., None], counts[:, None, None]), mask

    def _emphasised(self, samples: Tensor, lengths: Tensor) -> Tensor:
        """With the low frequencies held back, as the model was trained; nothing of it in the padding."""
        if self._settings.preemphasis is None:
            return samples
        held = torch.cat([samples[:, :1], samples[:, 1:] - self._settings.preemphasis * samples[:, :-1]], dim=1)
        inside = torch.arange(samples.shape[1], device=samples.device)[None] < lengths[:, None]
        return held * inside

    def _power(self, samples: Tensor) -> Tensor:
        spectrum = torch.stft(
            samples,
            self._settings.n_fft,
            hop_length=self._settings.hop_length,
            win_length=self._settings.win_length,
            window=self._window,
            pad_mode="constant",
            return_complex=True,
        )
        return torch.view_as_real(spectrum).square().sum(dim=-1)


def _standardised(features: Tensor, mask: Tensor, counts: Tensor) -> Tensor:
    """Mean 0 and deviation 1 over the frames that are the recording's own; 0 in the padding."""
    mean = (features * mask).sum(dim=1, keepdim=True) / counts
    variance = ((features - mean).square() * mask).sum(dim=1, keepdim=True) / (counts - 1)
    return (features - mean) / (variance.sqrt() + _DEVIATION_GUARD) * mask
