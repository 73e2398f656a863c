"""Train braincast-preview: ``python -m models.preview_training RUN``.

Three stages, each of which goes on from its checkpoint in the folder ``RUN``:

1. principal components of patches: the code (closed form);
2. the network that adds to them what they leave out: absolute error in pixels and in the first
   layers of EfficientNet-Lite0;
3. sketch and UNet: squared error of the code, and of the velocity of the flow.

Only pictures that are not held out take part in any of them.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from torch import Tensor, nn

from models.candidates import demo_concepts
from models.efficientnet import EfficientNetLite0, load_efficientnet
from models.preview import save_preview
from models.preview_networks import SIGMAS, PatchCodec, Sketch, refined
from models.preview_pictures import (
    concepts_of,
    fetch,
    held_out,
    looks_of,
    phrases_of,
    pictures_of,
    write_split,
)
from models.spaces import PACKAGED_SPACE, open_space
from streaming.errors import BraincastError

__all__ = ["Plan", "Tell", "Texts", "flow_loss", "main", "pixel_loss", "train", "unet_of"]

_Network = TypeVar("_Network", bound=nn.Module)

Loss = Callable[[torch.Generator], Tensor]
"""What to lower at a step, of which the generator draws all that is random."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a stage goes.

    Parameters
    ----------
    n_steps : int
        How many steps; the learning rate falls to nothing over them, as a cosine.
    rate : float
        Highest learning rate, reached after 100 steps.
    decay : float
        Of the moving average of the weights that is kept in the end; 0 keeps the last.
    weight_decay : float
        Of AdamW.
    save_every : int
        Steps between checkpoints.
    """

    n_steps: int
    rate: float
    decay: float = 0.0
    weight_decay: float = 1e-4
    save_every: int = 50


Tell = Callable[[int, float], None]
"""What is told how many steps are done, and the loss of the last; NaN where it is not known."""


def train(
    network: _Network,
    loss: Loss,
    plan: Plan,
    file: Path,
    tell: Tell = lambda _step, _loss: None,
) -> _Network:
    """Return what a network becomes, going on from the checkpoint if there is one.

    Parameters
    ----------
    network : Module
        What the loss is of; it is changed.
    loss : callable
        What is random in a step is seeded by its number, so that a run that was stopped and
        went on is the same, bit for bit.
    plan : Plan
        How.
    file : Path
        The checkpoint.
    tell : callable
        Told of each step, and first of those that the checkpoint holds.
    """
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(
        network.parameters(), plan.rate, betas=(0.9, 0.99), weight_decay=plan.weight_decay
    )
    first = 0
    if file.is_file():
        state = torch.load(file, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    tell(first, math.nan)
    for step in range(first, plan.n_steps):
        for group in optimizer.param_groups:
            fall = 0.5 + 0.5 * math.cos(math.pi * step / plan.n_steps)
            group["lr"] = plan.rate * min(1, (step + 1) / 100) * fall + 1e-6
        value = loss(torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        kept = min(plan.decay, (2 + step) / (11 + step))
        with torch.no_grad():
            for old, new in zip(average.parameters(), network.parameters(), strict=True):
                old.lerp_(new, 1 - kept)
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.n_steps:
            state = {
                "network": network.state_dict(),
                "average": average.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step + 1,
            }
            torch.save(state, file.with_suffix(".new"))
            file.with_suffix(".new").replace(file)
        tell(step + 1, value.item())
    return average.eval()


def pixel_loss(codec: PatchCodec, pictures: Tensor, batch: int = 16) -> Loss:
    """Return the loss of the second stage.

    Parameters
    ----------
    codec : PatchCodec
        Its components are fitted.
    pictures : Tensor of shape (n, 3, 64, 64)
        From -1 to 1. Two of five are turned about, shifted and scaled.
    batch : int
        How many a step takes.
    """
    judge = load_efficientnet().requires_grad_(False)

    def loss(draw: torch.Generator) -> Tensor:
        shown = pictures[torch.randint(len(pictures), (batch,), generator=draw)]
        moved = torch.rand(batch, generator=draw) >= 0.6
        shown = torch.where(moved[:, None, None, None], _moved(shown, draw), shown)
        codes = codec.encode(shown)
        noise = torch.randn(codes.shape, generator=draw)
        codes = codes + 0.15 * torch.rand(batch, 1, 1, 1, generator=draw) * noise
        with torch.autocast("cpu", dtype=torch.bfloat16):
            finer = nn.functional.pixel_shuffle(codec.network(codes), 2)
            made = codec.linear(codes).float() + finer.float()
            with torch.no_grad():
                wanted = _early(judge, shown)
            found = _early(judge, made)
        apart = [
            (one.float() - other.float()).abs().mean() / other.float().abs().mean()
            for one, other in zip(found, wanted, strict=True)
        ]
        return (made - shown).abs().mean() + 0.1 * torch.stack(apart).mean()

    return loss


def _moved(pictures: Tensor, draw: torch.Generator) -> Tensor:
    """Return pictures mirrored or not, 0.87 to 1.05 as large, shifted by up to 2.5 pixels."""
    n = len(pictures)
    scale = 0.95 + 0.2 * torch.rand(n, generator=draw)
    mirrored = torch.where(torch.rand(n, generator=draw) < 0.5, -1.0, 1.0)
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0], matrix[:, 1, 1] = scale * mirrored, scale
    matrix[:, :, 2] = (torch.rand(n, 2, generator=draw) - 0.5) * 0.16
    grid = nn.functional.affine_grid(matrix, list(pictures.shape), align_corners=False)
    return 1 - nn.functional.grid_sample(1 - pictures, grid, align_corners=False)


def _early(judge: EfficientNetLite0, pictures: Tensor) -> list[Tensor]:
    """Return what the stem and the blocks at three scales see."""
    x = nn.functional.relu6(judge._bn0(judge._conv_stem(pictures)))  # noqa: SLF001
    seen = [x]
    for n, block in enumerate(list(judge._blocks)[:6]):  # noqa: SLF001
        x = block(x)
        if n in {2, 4, 5}:
            seen.append(x)
    return seen


class Texts:
    """What concepts are called, as conditions with noise.

    Parameters
    ----------
    names, sayings : sequence of Tensor of shape (n, n_dims)
        Embedded phrases of each concept; see `models.preview_pictures.phrases_of`.
    """

    def __init__(self, names: Sequence[Tensor], sayings: Sequence[Tensor]) -> None:
        self._parts = [
            (
                nn.functional.normalize(torch.cat(list(rows)), dim=1),
                torch.tensor([0, *np.cumsum([len(row) for row in rows])]),
            )
            for rows in (names, sayings)
        ]
        self.centre = self._parts[0][0].mean(0)
        firsts = self._parts[0][0][self._parts[0][1][:-1]]
        self.directions = nn.functional.normalize(firsts - self.centre, dim=1)

    def draw(self, which: Tensor, draw: torch.Generator) -> Tensor:
        """Return a condition of each of some concepts, of shape (n, n_dims).

        It is a name or, in 45 %, a mixture of a name and a saying; in 35 % its cosine to that
        is at least .9, in the others uniform from .1 to 1 (noise has the covariance of the
        names); in 6 % there is nothing.
        """
        n = len(which)
        name, saying = (self._pick(part, which, draw) for part in self._parts)
        part = torch.rand(n, 1, generator=draw)
        part = torch.where(torch.rand(n, 1, generator=draw) < 0.55, 0.0, part)
        clean = nn.functional.normalize((1 - part) * name + part * saying - self.centre, dim=1)
        kind = torch.rand(n, 1, generator=draw)
        slight = 1 - 0.1 * torch.rand(n, 1, generator=draw) * (kind < 0.25)
        any_ = 0.1 + 0.9 * torch.rand(n, 1, generator=draw)
        cosine = torch.where(kind < 0.35, slight, any_)
        basis = self._parts[0][0] - self.centre
        noise = torch.randn(n, len(basis), generator=draw) @ basis
        noise = noise - (noise * clean).sum(1, keepdim=True) * clean
        noise = nn.functional.normalize(noise, dim=1)
        noisy = cosine * clean + (1 - cosine.square()).clamp_min(0).sqrt() * noise
        there = torch.rand(n, 1, generator=draw) > 0.06
        conditions: Tensor = torch.where(there, noisy, 0.0) * noisy.shape[1] ** 0.5
        return conditions

    @staticmethod
    def _pick(part: tuple[Tensor, Tensor], which: Tensor, draw: torch.Generator) -> Tensor:
        rows, starts = part
        counts = starts[which + 1] - starts[which]
        chosen = (torch.rand(len(which), generator=draw) * counts).long()
        return rows[starts[which] + torch.minimum(chosen, counts - 1)]


def flow_loss(
    sketch: nn.Module, unet: nn.Module, codes: Tensor, texts: Texts, batch: int = 448
) -> Loss:
    """Return the loss of the third stage.

    Parameters
    ----------
    sketch, unet : Module
        What is trained; the sketch that the UNet sees teaches it nothing.
    codes : Tensor of shape (n, n_components, side, side)
        Of the pictures.
    texts : Texts
        Of the same concepts.
    batch : int
        How many the sketch gets; a seventh goes to the UNet. Noise levels are those of the
        sampler in 60 % and uniform in the others.
    """
    levels = torch.tensor(SIGMAS)

    def loss(draw: torch.Generator) -> Tensor:
        which = torch.randint(len(codes), (batch,), generator=draw)
        conditions, wanted = texts.draw(which, draw), codes[which]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            drawn = sketch(conditions).float()
        n = max(1, batch // 7)
        sampled = levels[torch.randint(len(levels), (n,), generator=draw)]
        at_once = torch.rand(n, generator=draw) < 0.6
        sigma = torch.where(at_once, sampled, torch.rand(n, generator=draw))
        noise = torch.randn(wanted[:n].shape, generator=draw)
        level = sigma[:, None, None, None]
        noisy = (1 - level) * wanted[:n] + level * noise
        with torch.autocast("cpu", dtype=torch.bfloat16):
            velocity = refined(unet, noisy, drawn[:n].detach(), sigma, conditions[:n])
        missed = (velocity.float() - (noise - wanted[:n])).square().mean()
        total: Tensor = (drawn - wanted).square().mean() + missed
        return total

    return loss


def unet_of(
    n_dims: int = 384,
    n_components: int = 12,
    side: int = 8,
    channels: Sequence[int] = (128, 208),
) -> UNet2DConditionModel:
    """Return a UNet with random weights that takes a noisy code, a sketch and a condition."""
    return UNet2DConditionModel(
        sample_size=side,
        in_channels=2 * n_components,
        out_channels=n_components,
        down_block_types=("DownBlock2D",) * len(channels),
        mid_block_type="UNetMidBlock2D",
        up_block_types=("UpBlock2D",) * len(channels),
        block_out_channels=tuple(channels),
        layers_per_block=1,
        norm_num_groups=16,
        class_embed_type="projection",
        projection_class_embeddings_input_dim=n_dims,
        cross_attention_dim=16,
    )


def _embedded(phrases: Sequence[Sequence[str]]) -> list[Tensor]:
    texts = sorted({text for some in phrases for text in some})
    vectors = open_space(PACKAGED_SPACE).embed(texts)
    found = dict(zip(texts, vectors, strict=True))
    return [torch.from_numpy(np.stack([found[text] for text in some])) for some in phrases]


def _as_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def main() -> None:
    """Train, and save the weights and the table of concepts in ``RUN/weights``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of checkpoints and weights")
    parser.add_argument("--pictures", type=Path, help="folder of npm packages; RUN by default")
    parser.add_argument("--codec-steps", type=int, default=560)
    parser.add_argument("--flow-steps", type=int, default=4500)
    parser.add_argument("--save-every", type=int, default=50, help="steps between checkpoints")
    arguments = parser.parse_args()
    try:
        _train_all(arguments)
    except BraincastError as error:
        print(f"not trained: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


def _train_all(arguments: argparse.Namespace) -> None:
    torch.manual_seed(0)
    run: Path = arguments.run
    folder: Path = arguments.pictures or run
    run.mkdir(parents=True, exist_ok=True)
    with _progress() as bar:
        reading = bar.add_task("pictures and names", total=3, loss="")
        fetch(folder)
        bar.advance(reading)
        concepts = concepts_of(folder)
        pictures = pictures_of(folder, concepts)
        bar.advance(reading)
        demo = demo_concepts()
        phrases = phrases_of(concepts, dict(zip(demo.glyphs, demo.texts, strict=True)))
        labels = [concept.label for concept in concepts]
        names = open_space(PACKAGED_SPACE).embed(labels)
        groups, held = held_out(labels, names, looks_of(pictures))
        shown = np.flatnonzero(~held)
        bar.advance(reading)

        codec, values = PatchCodec(), _as_tensor(pictures[shown])
        codec.fit_components(values)
        plan = Plan(arguments.codec_steps, 7e-4, save_every=arguments.save_every)
        loss = pixel_loss(codec, values)
        made = train(codec, loss, plan, run / "codec.pt", _shown(bar, "codec", plan))
        texts = Texts(
            _embedded([phrases[n][0] for n in shown]), _embedded([phrases[n][1] for n in shown])
        )
        sketch, unet = Sketch(n_names=len(shown)), unet_of()
        sketch.centre.copy_(texts.centre)
        sketch.names.copy_(texts.directions)
        both = nn.ModuleDict({"sketch": sketch, "unet": unet})
        loss = flow_loss(sketch, unet, codec.encode(values), texts)
        plan = Plan(
            arguments.flow_steps, 1e-3, 0.998, weight_decay=1e-3, save_every=plan.save_every
        )
        drawn = train(both, loss, plan, run / "flow.pt", _shown(bar, "sketch and UNet", plan))
    save_preview(run / "weights", made, drawn["sketch"], drawn["unet"])
    write_split(run / "weights" / "concepts.tsv", labels, groups, held)
    print(run / "weights")  # noqa: T201


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
        console=Console(stderr=True),
    )


def _shown(bar: Progress, name: str, plan: Plan) -> Tell:
    """Return what shows a stage; each checkpoint leaves a line where there is no terminal."""
    task = bar.add_task(name, total=plan.n_steps, loss="")

    def tell(step: int, loss: float) -> None:
        said = "" if math.isnan(loss) else f"loss {loss:.4f}"
        bar.update(task, completed=step, loss=said)
        if said and not bar.console.is_terminal and step % plan.save_every == 0:
            bar.console.print(f"{name}: {step} of {plan.n_steps}, {said}", highlight=False)

    return tell


if __name__ == "__main__":
    main()
