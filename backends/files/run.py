"""A training whose parameters and state are files: made, opened, stepped."""

from __future__ import annotations

import os
import secrets
import shutil
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from adamcore.adam import Adam
from adamcore.backends.files.arrays import LazyArray, Readable, Writable
from adamcore.backends.files.batches import budget
from adamcore.backends.files.blocks import STORED, Blocks, task
from adamcore.backends.files.formats import FORMATS, Spec, make, open_arrays
from adamcore.backends.files.inputs import PATHS, clip_numbers, masks, named, number
from adamcore.backends.files.locks import locked, without_tasks
from adamcore.backends.files.plan import Stored, arrays_of, scalars_of, select, trees_of
from adamcore.backends.files.record import (
    Commit,
    Layout,
    Pending,
    begun,
    read_commit,
    read_layout,
    read_pending,
    write_commit,
    write_layout,
    write_pending,
)
from adamcore.backends.files.stand_ins import BACKEND
from adamcore.backends.files.step import Mover, sync_all
from adamcore.backends.io.atomic import sync
from adamcore.errors import BackendError, CheckpointError, GradientError, MaskError, ParameterError
from adamcore.state import AdamState
from adamcore.step import LossScale, init_tree, read_loss_scale
from adamcore.step.clipping import Clip
from adamcore.storage.moments import IN_8_BITS
from adamcore.trees import ParamTree
from adamcore.types import Array, Tree

CEILING = 1 << 30  #: bytes
Source = str | os.PathLike[str]  #: of arrays in files


class Run:
    """A training on disk: parameters and state of any size, stepped block by block (docs/out-of-core.md).

    A run is a folder.  It has the parameters, the moments and what else an :class:`adamcore.AdamState` has
    twice: a step reads one copy and writes the other, and happens when the file ``commit.json`` is replaced.
    So a process that is killed leaves the state before its step, whole.

    Args:
        folder: what :meth:`create` has made.

    Raises:
        CheckpointError: it is no run, a file of it is damaged or cut, or the making of it was cut short.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = Run.create(f"{folder}/run", Adam(lr=0.1), {"w": np.ones(3), "b": np.zeros(1)})
        ...     run.step({"w": np.array([1.0, -2.0, 0.0]), "b": None})
        ...     run = Run(f"{folder}/run")  # as another process opens it
        ...     run.params["w"].tolist(), run.clocks
        ([0.900000001, 1.0999999995, 1.0], {'b': 0, 'w': 1})
    """

    def __init__(self, folder: Source) -> None:
        self.folder = Path(folder).absolute()  # other processes may have other working folders
        self._layout = read_layout(self.folder)
        self._commit = read_commit(self.folder, len(self._layout.names))
        self._arrays = self._open(self._commit.generation)

    @classmethod
    def create(
        cls,
        folder: Source,
        adam: Adam,
        params: Tree | Source,
        *,
        file_format: str = "safetensors",
        ceiling: int = CEILING,
    ) -> Run:
        """Make the folder of a run that has not stepped yet, and return the run.

        Args:
            folder: where nothing is yet.
            adam: the Adam that will step; its ``lr`` is a number.
            params: where the parameters are: a file of safetensors (or the ``.index.json`` of several), a
                folder of .npy files or of safetensors, a group of zarr's; or a tree of arrays of NumPy or
                zarr, of which one of :class:`numpy.memmap` is read from its file.  They are copied.
            file_format: ``"safetensors"`` (a file for all), ``"npy"`` or ``"zarr"`` (for each its own).
            ceiling: the bytes of memory that may be taken, as for :meth:`step`.

        Raises:
            CheckpointError: the folder is there, the format lacks a dtype, or ``adam.lr`` is a schedule.
            ParameterError, HyperparameterError: as :meth:`adamcore.Adam.init`.
        """
        target = Path(folder)
        if target.exists():
            raise CheckpointError(f"{target} is there already: open it with Run(folder), or name another")
        if file_format not in FORMATS:
            raise CheckpointError(f"file_format={file_format!r}: expected one of {', '.join(FORMATS)}")
        if file_format == "zarr" and not {adam.m_storage, adam.v_storage}.isdisjoint(IN_8_BITS):
            raise CheckpointError(
                "file_format='zarr' with moments in 8 bits: expected another format, since chunks may part "
                "the blocks that share a scale; use 'safetensors' or 'npy'"
            )
        found = named(params, "params", ParameterError)
        tree = ParamTree(found, backend=BACKEND)
        start = init_tree(adam, tree)
        parts = {"p": found, **trees_of(start)}
        specs = {
            part: {n: Spec(x.dtype.name, tuple(x.shape)) for n, x in arrays.items() if x is not None}
            for part, arrays in parts.items()
        }
        commit = Commit(t=scalars_of(tree, start.t), mu_product=scalars_of(tree, start.mu_product))
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.parent / f".{target.name}.{secrets.token_hex(4)}.adamcore"
        try:
            (beside / "0").mkdir(parents=True)
            layout = Layout(adam, file_format, specs)
            write_layout(beside, layout)
            make(beside / "0", file_format, specs)
            new = open_arrays(beside / "0", file_format, specs)
            copies = []
            for i, name in enumerate(found):
                sources = select(parts, name, STORED)
                copies.append(task(i, name, None, sources, select(new, name, tuple(sources))))
            share = budget(ceiling)
            Mover(Blocks(adam, copies, share.slice), share).run()
            write_commit(beside, commit)
            os.rename(beside, target)
            sync(target.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return cls(target)

    # what is there

    @property
    def adam(self) -> Adam:
        """The Adam that steps."""
        return self._layout.adam

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return self._commit.steps

    @property
    def params(self) -> dict[str, Array]:
        """The parameters by name, as read-only maps of their files, or arrays of zarr's.

        The step after the next one writes over these files: after each step, look here again.
        """
        return {name: x.mapped() for name, x in self._arrays["p"].items()}

    def dask_params(self) -> dict[str, Any]:
        """Return the parameters by name as arrays of Dask's, of which a task reads its own chunk.

        As for :attr:`params`, ask again after each step.

        Raises:
            BackendError: Dask is not installed.
        """
        found: dict[str, Any] = dask_module().lazy(self._arrays["p"])
        return found

    @property
    def clocks(self) -> dict[str, int]:
        """The clock of each parameter: the number of its updates."""
        names, t = self._layout.names, self._commit.t
        return dict(zip(names, t * len(names) if self.adam.clock == "global" else t, strict=True))

    @property
    def state(self) -> AdamState:
        """The state with which :meth:`adamcore.Adam.step` goes on in memory; its arrays as :attr:`params`."""
        names = self._layout.names

        def tree(part: str) -> Any:
            found = self._arrays.get(part)
            return None if found is None else {n: found[n].mapped() if n in found else None for n in names}

        def scalars(values: Sequence[float] | None, dtype: str) -> Any:
            return self._stored.scalars(values and [np.asarray(x, dtype) for x in values])

        t, mu = scalars(self._commit.t, "int32"), scalars(self._commit.mu_product, "float64")
        return AdamState(t, mu_product=mu, **{part: tree(part) for part in STORED[1:]})

    @property
    def interrupted(self) -> bool:
        """True if a step was begun and not finished; the state is that before it."""
        return read_pending(self.folder, self._commit) is not None

    # steps

    def step(
        self,
        grads: Tree | Source,
        *,
        lr: float | None = None,
        weight_decay: float | None = None,
        grad_scale: float | None = None,
        found_inf: Any = None,
        clip: Clip | None = None,
        present: Tree = None,
        absent: Sequence[str] = (),
        ceiling: int = CEILING,
        progress: bool = False,
        dask: bool = False,
    ) -> None:
        """Make one step, with the bits of :meth:`adamcore.Adam.step`.

        A step that was begun before and not finished is forgotten.

        Args:
            grads: the gradients, in any of the forms that ``params`` of :meth:`create` may have; None in
                place of an array is an absent gradient.
            lr, weight_decay, grad_scale: as for :meth:`adamcore.Adam.step`, as numbers.
            found_inf: as for :meth:`adamcore.Adam.step`; a step that is skipped reads and writes no array,
                and does not count in :attr:`steps`.
            clip: as for :meth:`adamcore.Adam.step`, of numbers.  To clip by a norm is to read the gradients
                twice, unless ``clip.total`` says it.
            present: as for :meth:`adamcore.Adam.step`; a mask is an array of NumPy's or zarr's, and one of
                :class:`numpy.memmap` is read from its file.
            absent: names of parameters without a gradient, where ``grads`` is a path.
            ceiling: the bytes of memory that this step may take for arrays.
            progress: True to show a progress bar on standard error.
            dask: True to make the step as tasks of Dask's, on the scheduler that is in use, as is done too if
                a gradient is an array of Dask's.  Each process has the ceiling then; the chunks of such a
                gradient come on top.

        Raises:
            GradientError: a gradient lacks, or does not fit its parameter.
            MissingGradientError, MaskError, HyperparameterError: as :meth:`adamcore.Adam.step`.
            CheckpointError: another process has stepped the run since it was opened, or steps it now.
        """
        with self._alone():
            before = read_pending(self.folder, self._commit)
            scale, skipped = read_loss_scale(LossScale(number("grad_scale", grad_scale), found_inf), BACKEND)
            pending = Pending(
                self.steps,
                ceiling,
                number("lr", lr),
                number("weight_decay", weight_decay),
                scale,
                list(absent),
                str(Path(grads).resolve()) if isinstance(grads, PATHS) else None,
                same=self._commit.same if before is None else [],
                clip=clip_numbers(clip),
            )
            parts = None if present is None else masks(present, self._layout.names)
            if skipped:
                self._stored.checked(pending, self._gradients(pending, grads), parts, overflow=True)
                self._forget(before)
            else:
                self._make(pending, grads, parts, progress, dask)

    def resume(
        self,
        grads: Mapping[str, Any] | Tree | Source | None = None,
        *,
        present: Tree = None,
        progress: bool = False,
        dask: bool = False,
    ) -> bool:
        """Finish the step that was begun and not finished, with its own lr; return False if there is none.

        If the gradients are files that did not change since, it goes on where it was; else it begins again.

        Args:
            grads: the gradients of that step; None reads them from the path that they came from.
            present: who takes part in that step; None is what it was, unless there were masks.
            progress, dask: as for :meth:`step`.

        Raises:
            GradientError: the gradients were no path, and are not given.
            MaskError: there were masks, and they are not given.
            CheckpointError: as for :meth:`step`.
        """
        with self._alone():
            pending = read_pending(self.folder, self._commit)
            if pending is None:
                return False
            if grads is None and pending.source is None:
                raise GradientError(
                    "the gradients of the step to be finished came as arrays: expected them again, as "
                    "resume(grads); or make the step anew"
                )
            parts: Any = pending.present
            if present is not None:
                parts = masks(present, self._layout.names)
            elif parts is not None and not all(isinstance(part, bool) for part in parts.values()):
                raise MaskError(
                    "the step to be finished has masks: expected them again, as resume(present=masks); or "
                    "make the step anew"
                )
            self._make(pending, pending.source if grads is None else grads, parts, progress, dask)
            return True

    def _gradients(self, pending: Pending, grads: Any) -> OrderedDict[str, Any]:
        return named(grads, "grads", GradientError, self._layout.names, pending.absent)

    def _forget(self, before: Pending | None) -> None:
        """Give up a step that was begun; it may have written what was the same in both folders."""
        if before is not None:
            after = replace(self._commit, same=[])
            write_commit(self.folder, after)
            (self.folder / "pending.json").unlink()
            self._commit = after

    def _make(
        self,
        pending: Pending,
        grads: Any,
        present: OrderedDict[str, bool | Readable] | None,
        progress: bool,
        dask: bool,
    ) -> None:
        """Make the step that ``pending`` describes; go on where it has come to, if it is the same."""
        layout, commit, share = self._layout, self._commit, budget(pending.ceiling)
        gradients = self._gradients(pending, grads)
        tree, plan = self._stored.plan(pending, gradients, present)
        pending = begun(pending, gradients, present)
        dask = dask or any(isinstance(g, LazyArray) for g in gradients.values())
        pending = replace(pending, token=secrets.token_hex(8), done=0 if dask else pending.done)
        workers = dask_module().workers(pending.ceiling) if dask else None
        jobs = dict(zip(plan.indices, plan.jobs, strict=True))
        try:
            with without_tasks(self.folder):  # of a step that was given up
                write_pending(self.folder, pending)
            new = self._spare(1 - commit.generation)
            tasks = []
            for i, name in enumerate(layout.names):
                if i in jobs or i not in pending.same:
                    job = jobs.get(i)
                    sources = select(self._arrays, name, STORED) if job is None else arrays_of(job)
                    tasks.append(task(i, name, job, sources, select(new, name, STORED)))

            def saved(done: int) -> None:
                write_pending(self.folder, replace(pending, done=done))

            blocks = Blocks(layout.adam, tasks, share.slice, pending.grad_scale)
            if dask:
                on_dask = dask_module()
                on_dask.make(on_dask.Step(self.folder, pending.token, blocks), workers, progress)
                sync_all(blocks.files())
            else:
                Mover(blocks, share, saved).run(pending.done, progress)
            after = Commit(
                commit.steps + 1,
                1 - commit.generation,
                scalars_of(tree, plan.t),
                scalars_of(tree, plan.mu_product),
                [i for i in range(len(layout.names)) if i not in jobs],
            )
            write_commit(self.folder, after)
            (self.folder / "pending.json").unlink()
        except OSError as error:
            raise CheckpointError(
                f"{self.folder}: the step can't be written ({error.strerror or error}); the state is that "
                "before it"
            ) from error
        self._commit, self._arrays = after, new

    @property
    def _stored(self) -> Stored:
        return Stored(self._layout, self._commit, self._arrays)

    def _open(self, generation: int) -> dict[str, dict[str, Writable]]:
        return open_arrays(self.folder / str(generation), self._layout.file_format, self._layout.specs)

    def _spare(self, generation: int) -> dict[str, dict[str, Writable]]:
        """Return the arrays that the step writes, made anew if they are not there or not whole."""
        folder = self.folder / str(generation)
        try:
            return self._open(generation)
        except CheckpointError:
            beside = self.folder / f"{generation}.new"
            for old in (beside, folder):
                shutil.rmtree(old, ignore_errors=True)
            beside.mkdir()
            make(beside, self._layout.file_format, self._layout.specs)
            os.rename(beside, folder)
            return self._open(generation)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others from stepping the run, and check that nobody has since it was opened."""
        try:
            with locked(self.folder):
                if read_commit(self.folder, len(self._layout.names)) != self._commit:
                    raise CheckpointError(
                        f"{self.folder} was stepped since this Run was opened: open it anew, with Run(folder)"
                    )
                yield
        except BlockingIOError as error:
            raise CheckpointError(f"{self.folder} is stepped by another process now: wait for it") from error


def dask_module() -> Any:
    """Return the module with a step's tasks.

    Raises:
        BackendError: Dask is not installed.
    """
    try:
        from adamcore.backends.files import on_dask
    except ImportError as error:
        raise BackendError("a step on Dask's scheduler needs it: pip install 'adamcore[dask]'") from error
    return on_dask
