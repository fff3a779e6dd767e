"""Where networks run."""


def device_named(name: str) -> str:
    """Give a device by name; `auto` is the GPU where there is one, and the CPU where not."""
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
