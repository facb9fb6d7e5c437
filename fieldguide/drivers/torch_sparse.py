"""torch.optim.SparseAdam, given gradients that have every row, so that it steps as a dense Adam would."""

import torch


class SparseAdam(torch.optim.SparseAdam):
    def step(self, closure=None):
        dense = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        given = [p.grad for p in dense]
        for p, g in zip(dense, given):
            p.grad = sparse(g)
        try:
            return super().step(closure)
        finally:
            for p, g in zip(dense, given):
                p.grad = g


def sparse(g):
    """Return a gradient with all its rows; of a 0-d one, its only number."""
    if g.ndim:
        return torch.sparse_coo_tensor(torch.arange(len(g))[None], g, g.shape)
    return torch.sparse_coo_tensor(torch.zeros(0, 1, dtype=torch.long), g[None], ())
