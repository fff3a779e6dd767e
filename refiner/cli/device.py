"""Where networks run."""


def device_named(name: str) -> str:
    """Give a device by name; `auto` is the GPU where there is one, and the CPU where not."""
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


def keep_float32_whole() -> None:
    """Let NVIDIA GPUs compute with all bits of 32-bit numbers, as a CPU does.

    By default their convolutions round to TF32, whose steps are 0.07 mm at 75 to 150 mm from the centre of a cube: a
    map refined there is not the map refined on a CPU. Lower precision is for the user to ask for (trainer.precision).
    """
    import torch

    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
