# SPDX-License-Identifier: Apache-2.0
"""nnU-Net's default trainer for a number of steps, with a seed: for bench/nnunet/run.sh, found by nnUNet_extTrainer.

The environment sets STEPS (a multiple of EPOCHS, 30), SEED, THREADS and PRECISION. Only the length differs: EPOCHS
epochs of STEPS / EPOCHS iterations, so that the polynomial schedule runs to its end. With nnUNet_n_proc_DA=0 batches
are made in this process, by the seed. PRECISION=bf16 computes the network as nnU-Net does on a GPU, by autocast (there
in fp16; on a CPU nnU-Net itself has fp32 only); the loss and the weights stay in fp32.
"""
import os
import random
import time

import numpy
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


class nnUNetTrainerSteps(nnUNetTrainer):
    def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict,
                 device: torch.device = torch.device("cpu")):
        super().__init__(plans, configuration, fold, dataset_json, device)
        steps, self.seed = int(os.environ.get("STEPS", "300")), int(os.environ.get("SEED", "1"))
        self.num_epochs = int(os.environ.get("EPOCHS", "30"))
        assert steps % self.num_epochs == 0
        self.num_iterations_per_epoch = steps // self.num_epochs
        self.num_val_iterations_per_epoch = 1
        self.seconds = []

    def initialize(self):
        torch.set_num_threads(int(os.environ.get("THREADS", "1")))  # nnUNetv2_train takes all cores
        random.seed(self.seed)
        numpy.random.seed(self.seed)
        torch.manual_seed(self.seed)
        super().initialize()
        self.print_to_log_file(f"seed {self.seed}, parameters {sum(p.numel() for p in self.network.parameters())}")

        if os.environ.get("PRECISION", "fp32") == "bf16":
            self.network.to(memory_format=torch.channels_last_3d)
            forward = self.network.forward

            def mixed(x):
                with torch.autocast("cpu", torch.bfloat16):
                    out = forward(x.contiguous(memory_format=torch.channels_last_3d))
                return [o.float() for o in out] if isinstance(out, (list, tuple)) else out.float()

            self.network.forward = mixed

    def train_step(self, batch: dict) -> dict:
        start = time.monotonic()
        out = super().train_step(batch)
        self.seconds.append(time.monotonic() - start)
        return out

    def on_train_end(self):
        super().on_train_end()
        median = numpy.median(self.seconds)
        self.print_to_log_file(f"{len(self.seconds)} steps, median {median:.3f} s without the batch")

    def perform_actual_validation(self, save_probabilities: bool = False):
        """Nothing: fold "all" would predict its own training cases."""
