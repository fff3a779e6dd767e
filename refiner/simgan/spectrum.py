"""The spectrum of a camera's noise, measured on smooth patches of its maps and asked of refined ones.

A discriminator tells that noise is wrong, and slowly what is wrong with it: after 5,000 updates some wavelengths of a
Kinect v2's had twice the camera's power and others half of it. Powers are sums that anyone can take (compare the
spectral regularisation of Durall, Keuper and Keuper 2020, arXiv 2003.01826, which asks this of pictures). Of patches
p of 16 px that show nothing but one smooth surface, without the cubic that fits them best and under a Hann window w,

    P(k) = |F(w (p - cubic))(k)|^2 / 256                     in mm^2
    loss = mean over k of (log E P - log E P')^2 + (E log P - E log P')^2

where ' is the camera's and E running means: the first says how strong the noise is, the second, how evenly. Devices
that train together share these means: each takes in the patches of all.
"""

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F

from refiner.nets.blocks import is_reading
from refiner.simgan.devices import device_count

PATCH_PX, STRIDE_PX = 16, 8
_COARSE_PX = 4
_SMOOTH_MM = 1.0
"""Patches count whose means over 4 x 4 px deviate by no more from the cubic: noise passes, creases and rims do not."""
_FLOOR_MM2 = 0.02
_MEMORY = 0.02
"""Share of a new batch in the running means."""


class NoiseSpectrum(nn.Module):
    """Running spectra of camera maps and of refined ones, and how far they are apart.

    Attributes:
        half_cube_mm: What 1 of network depth is.
    """

    real: Tensor
    refined: Tensor
    cubics: Tensor
    window: Tensor

    def __init__(self, half_cube_mm: float) -> None:
        """Begin without any spectrum."""
        super().__init__()
        self.half_cube_mm = half_cube_mm
        at = torch.linspace(-1, 1, PATCH_PX, dtype=torch.float64)
        y, x = (axis.flatten() for axis in torch.meshgrid(at, at, indexing="ij"))
        powers = [(i, j) for i in range(4) for j in range(4 - i)]
        cubics = torch.linalg.qr(torch.stack([y**i * x**j for i, j in powers], dim=1))[0]
        hann = torch.hann_window(PATCH_PX + 2, periodic=False)[1:-1]
        window = hann[:, None] * hann[None, :]
        self.register_buffer("cubics", cubics.float(), persistent=False)
        self.register_buffer("window", window / window.square().mean().sqrt(), persistent=False)
        shape = 2, PATCH_PX, PATCH_PX // 2 + 1
        for name in ("real", "refined"):  # E P and E log P; not a number = nothing yet
            self.register_buffer(name, torch.full(shape, torch.nan))

    def powers(self, depth: Tensor) -> Tensor:
        """Give the powers of smooth patches.

        Args:
            depth: (N, 1, H, W) in [-1, 1].

        Returns:
            (patches, 16, 9), mm^2.
        """
        patches, whole = (
            F.unfold(values, PATCH_PX, stride=STRIDE_PX).transpose(1, 2).flatten(0, 1)
            for values in (depth.float(), is_reading(depth).float())
        )
        patches = patches[whole.amin(dim=1) > 0] * self.half_cube_mm
        patches = patches - patches.mean(dim=1, keepdim=True)
        left = (patches - patches @ self.cubics @ self.cubics.T).view(-1, PATCH_PX, PATCH_PX)
        blocks = PATCH_PX // _COARSE_PX
        coarse = left.detach().view(-1, blocks, _COARSE_PX, blocks, _COARSE_PX).mean(dim=(2, 4))
        left = left[coarse.square().mean(dim=(1, 2)).sqrt() <= _SMOOTH_MM]
        if len(left) == 0:  # which Fourier transforms refuse
            return left[..., : PATCH_PX // 2 + 1]
        spectrum = torch.fft.rfft2(left * self.window)
        return (spectrum.real.square() + spectrum.imag.square()) / PATCH_PX**2

    def forward(self, refined: Tensor, real: Tensor) -> Tensor:
        """Take a batch into the running spectra, and score their distance.

        Args:
            refined: (N, 1, H, W) in [-1, 1].
            real: (N, 1, H, W), camera maps.

        Returns:
            The distance of the running spectra, with the gradient of this batch; 0 until both sides had a patch.
        """
        with torch.autocast(refined.device.type, enabled=False):
            with torch.no_grad():
                real_sums, real_patches = self._sums(real)
                _take_in(self.real, *_over_devices(real_sums, real_patches))
            own_sums, own_patches = self._sums(refined)
            sums, patches = _over_devices(own_sums.detach(), own_patches)
            _take_in(self.refined, sums, patches)
            if own_patches == 0 or torch.isnan(self.real).any():
                return refined.new_zeros(())
            # Afterwards the devices' gradients are averaged, so each has its share of the mean as many times over.
            own = own_sums * (device_count() / patches)
            strength, evenness = self.refined + own - own.detach()
            off = torch.log(strength + _FLOOR_MM2) - torch.log(self.real[0] + _FLOOR_MM2)
            return (off.square() + (evenness - self.real[1]).square()).mean()

    def _sums(self, depth: Tensor) -> tuple[Tensor, int]:
        """Return the sums of P and of log P over the smooth patches, (2, 16, 9), and the number of patches."""
        powers = self.powers(depth)
        return torch.stack([powers.sum(dim=0), torch.log(powers + _FLOOR_MM2).sum(dim=0)]), len(powers)


def _over_devices(sums: Tensor, patches: int) -> tuple[Tensor, int]:
    """Add up the sums and the numbers of patches of all devices that train together."""
    if device_count() == 1:
        return sums, patches
    both = torch.cat([sums.flatten(), sums.new_tensor([float(patches)])])
    dist.all_reduce(both)
    return both[:-1].view_as(sums), int(both[-1])


def _take_in(running: Tensor, sums: Tensor, patches: int) -> None:
    if patches > 0:
        new = sums / patches
        running.copy_(torch.where(torch.isnan(running), new, running + _MEMORY * (new - running)))
