"""A SimGAN for maps of 16 px, and how it is trained here."""

import torch
from fakes import small_refiner
from torch.optim import Adam

from refiner.checkpoints import AtomicCheckpointIO, Checkpoints
from refiner.datasets.facts import TrainingFacts
from refiner.frameworks import lightning as L
from refiner.geometry.depth import DepthCodec
from refiner.nets.discriminator import Layer, PatchDiscriminator
from refiner.simgan.augmentation import Augmentation
from refiner.simgan.module import SimGAN
from refiner.simgan.objective import Objective
from refiner.simgan.schedule import UpdateSchedule


def simgan(refiner=None, seed=0, **settings):
    torch.manual_seed(seed)
    defaults = {
        "facts": TrainingFacts(DepthCodec(16, 260.0, 1.0)),
        "optimizer_refiner": lambda parameters: Adam(parameters, lr=0.01, betas=(0.5, 0.999)),
        "optimizer_discriminator": lambda parameters: Adam(parameters, lr=0.01, betas=(0.5, 0.999)),
        "schedule": UpdateSchedule(2, 2, 2, 1, 0),
        "objective": Objective("sigmoid", "identity", "mean", 0.1, 1.0, 0.0, 0.1, 2),
        "augmentation": Augmentation(0.0, flip_up_down=False),
        "history_maps": 7,
        "learning_rate_drop_after": None,
        "gradient_norm": 0.0,
        "average_decay": 0.9,
    }
    refiner = refiner or small_refiner()
    discriminator = PatchDiscriminator([Layer(3, 2, 8), Layer(3, 1)], sees_distance=False)
    return SimGAN(refiner, discriminator, **(defaults | settings))


def trainer(folder, max_steps, callbacks=(), val_check_interval=5, plugins=()):
    return L.Trainer(
        logger=L.pytorch.loggers.TensorBoardLogger(".", name=folder, version=0),
        accelerator="cpu", max_steps=max_steps, max_epochs=-1, log_every_n_steps=2, num_sanity_val_steps=-1,
        val_check_interval=val_check_interval, check_val_every_n_epoch=None, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, plugins=[AtomicCheckpointIO(), *plugins],
        callbacks=[Checkpoints(every_n_updates=1), *callbacks],
    )  # fmt: skip


def fit(model, data, folder, max_steps, ckpt_path=None, **options):
    runner = trainer(folder, max_steps, **options)
    runner.fit(model, datamodule=data, ckpt_path=ckpt_path)
    return runner
