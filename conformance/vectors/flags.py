"""The flags of vectors: known pitfalls, each with its effect and issues of real cases."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flag:
    """One pitfall."""

    description: str
    effect: str
    links: tuple[str, ...] = ()  #: issues of real cases: "owner/repository#number"


FLAGS = {
    "EpsilonPlacement": Flag(
        "eps stands beside the corrected root, beside the uncorrected one, or under the root",
        "steps differ by up to 1/sqrt(1-b2) where eps is not far below the root",
        ("pytorch/pytorch#22628", "pytorch/pytorch#23737", "tensorflow/tensorflow#9047",
         "tensorflow/tensorflow#35102", "google-deepmind/optax#571"),
    ),
    "EpsilonSign": Flag(
        "eps is subtracted, or added after the reciprocal",
        "the step changes its sign, or is not a number, where eps is comparable to the root",
        ("tensorflow/tensorflow#61407",),
    ),
    "NoCorrection": Flag(
        "one bias correction or both are missing, or off by default",
        "first steps are (1-b1)/sqrt(1-b2) of their length",
        ("ml-explore/mlx#1153", "ml-explore/mlx#1640"),
    ),
    "FrozenClock": Flag(
        "the clock does not tick, or is one late or early",
        "the correction of t=1 stays for ever, 2.2 times too long a step at b=(.9, .95)",
        ("allenai/OLMo-core#309", "tracel-ai/burn#616", "NVIDIA/TransformerEngine#3318"),
    ),
    "NarrowClock": Flag(
        "the clock is a floating-point number of few bits",
        "it stops at 256 in bfloat16, at 2**24 in float32, and the corrections with it",
        ("pytorch/ao#4915",),
    ),
    "SharedClock": Flag(
        "one counter serves several parameters, and ticks for each of them",
        "wrong corrections as soon as histories differ",
        ("deepspeedai/DeepSpeed#8471", "deepspeedai/DeepSpeed#1823"),
    ),
    "CoefficientPrecision": Flag(
        "1-b, b**t or b itself are formed in the parameter's precision",
        "in bfloat16 b2=0.999 is 1 and nothing ever moves; in float32 1-b**t is a thousand ULP off",
        ("tenstorrent/tt-metal#55935", "tensorflow/tensorflow#58138", "keras-team/keras#17391"),
    ),
    "DecayCoupling": Flag(
        "weight decay enters the gradient, or the parameter, times lr, alone, or times the corrected lr",
        "another optimizer: AdamW instead of Adam, or decay that does not follow the schedule",
        ("pytorch/pytorch#38853", "google-deepmind/optax#292", "NVIDIA/apex#1849"),
    ),
    "DecayOrder": Flag(
        "the parameter decays before or after the step",
        "results differ by lr*weight_decay times the step",
        ("huggingface/transformers#35504", "bitsandbytes-foundation/bitsandbytes#2010"),
    ),
    "DecayMissing": Flag(
        "weight decay is accepted and not applied, or not where the gradient is zero",
        "nothing decays",
        ("PaddlePaddle/Paddle#5836",),
    ),
    "AmsgradOfWhat": Flag(
        "the maximum is taken of v or of the corrected v; or it is not kept",
        "other steps after a large gradient; states that cannot be converted",
        ("pytorch/pytorch#142323", "google-deepmind/optax#1389"),
    ),
    "NesterovForm": Flag(
        "three different updates are called NAdam",
        "other steps from the first one on",
    ),
    "AbsentIsNotZero": Flag(
        "an absent gradient is treated as zero, or the other way round",
        "a frozen parameter moves by momentum and decay; or a zero gradient freezes one",
        ("pytorch/pytorch#28294", "pytorch/pytorch#48793", "pytorch/pytorch#150610"),
    ),
    "EpsilonUnderflow": Flag(
        "eps is 0 in the parameter's dtype",
        "0/0 for a zero gradient",
        ("google-deepmind/optax#1754",),
    ),
    "SquareUnderflow": Flag(
        "g*g underflows where g does not",
        "the denominator is eps alone; without it a step some orders of magnitude too long",
    ),
    "SwallowedUpdate": Flag(
        "moments or parameters of few bits are rounded after each operation",
        "changes below 1/256 of the value are lost",
        ("pytorch/ao#1124",),
    ),
    "VectorTail": Flag(
        "the last elements of an array whose size is no multiple of the vector width",
        "they are not updated, or updated twice",
    ),
    "SwappedBetas": Flag(
        "b1 and b2 exchanged, or one used for both, or 1-b for b",
        "other moments from the first step on",
        ("mila-iqia/blocks#1159",),
    ),
    "CorrectionKept": Flag(
        "corrected moments, or the corrected lr, are written back",
        "corrections multiply from step to step",
        ("PennyLaneAI/pennylane#1929",),
    ),
    "ScheduleIgnored": Flag(
        "lr is read once, or weight decay follows another lr than the step",
        "a schedule has no effect, or half of one",
    ),
}  # fmt: skip
